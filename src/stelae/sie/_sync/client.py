# Generated from src/stelae/sie/_async/client.py by tools/unasync.py: do not edit.
"""SIE's client over ours: its signatures, its dicts, its errors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from types import TracebackType
from typing import Any, Literal, Self, Unpack, cast, overload

from stelae.client import Client, RetryPolicy
from stelae.client._sync._http import HttpBackend
from stelae.client._retry import REFUSED
from stelae.client._transport import model_path
from stelae.errors import InvalidInput
from stelae.sie._sync.chats import Chats
from stelae.sie._sync.feed import Feed
from stelae.sie._sync.files import Batches, Files
from stelae.sie._sync.jobs import Jobs
from stelae.sie._sync.renewal import Renewal
from stelae.sie._sync.rest import Rest
from stelae.sie._sync.texts import Texts
from stelae.sie._sync.writing import OOM_RETRIES
from stelae.sie._feeds import path_of
from stelae.sie._items import bare, in_template, is_open, ours, pool_spec, several
from stelae.sie._options import EncodeOptions, ExtractOptions
from stelae.sie._rest import model_of
from stelae.sie._results import (
    capacity_info,
    encode_result,
    extract_result,
    pool_info,
    request_of,
    score_result,
)
from stelae.sie.errors import of_pool, renamed
from stelae.sie.types import (
    CapacityInfo,
    EncodeResult,
    ExtractResult,
    Item,
    ModelInfo,
    PoolInfo,
    PoolSpec,
    ScoreResult,
    StatusMessage,
)
from stelae.types import Modality
from stelae.wire.sie.names import named_all
from stelae.wire.sie.options import read_options
from stelae.wire.sie.verbs import (
    encode_fields,
    extract_fields,
    kinds_of,
    named,
    refuse_several,
    score_fields,
)

WAIT_SECONDS = 300.0
"""Time for a worker to come, unless the caller says otherwise."""

PROVISION_SECONDS = 900.0
"""Time for a device to be there, unless the caller says otherwise."""

HASTY = frozenset({"queue_full", "model_not_ready", "lora_loading"})
"""What is waited for by calls that do not wait for a device: what is busy or loading."""


class SIEClient(Chats):
    """Asks a server as SIE's own client does.

    Attributes:
        jobs: Many items in one request, encoded in the background.
        files: What batches read and write.
        batches: The requests of a file, answered in the background.

    Args:
        base_url: Address of the server.
        timeout_s: Seconds for one request.
        api_key: Key to show to the server.
        gpu: Kind of device, or ``pool/kind``, for calls that name none.
        options: Options of every call; those of a call come before them.
        pool: A pool that is made before the first call.
    """

    def __init__(
        self,
        base_url: str,
        timeout_s: float = 30.0,
        api_key: str | None = None,
        gpu: str | None = None,
        options: dict[str, Any] | None = None,
        pool: PoolSpec | None = None,
    ) -> None:
        self._backend = HttpBackend(base_url, api_key, None)
        self._timeout = timeout_s
        self._clients: dict[tuple[bool, int], Client] = {}
        self._client = self._patient(OOM_RETRIES, wait=False)
        self._url, self._feed = base_url, Feed(base_url, api_key)
        self._rest = Rest(base_url, api_key, timeout_s)
        self.jobs, self.files = Jobs(self._rest), Files(self._rest)
        self.batches = Batches(self._rest)
        self._texts = Texts(self._rest)
        self._renewal = Renewal(self._client.renew_pool)
        self._gpu = gpu
        self._options = options or {}
        self._pool = pool
        self._own: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; pools that this client made are renewed no longer, but stay."""
        self._renewal.close()
        for client in self._clients.values():
            client.close()
        self._rest.close()

    @property
    def base_url(self) -> str:
        """Address of the server."""
        return self._url

    @overload
    def encode(
        self, model: str, items: Item, **more: Unpack[EncodeOptions]
    ) -> EncodeResult: ...
    @overload
    def encode(
        self, model: str, items: list[Item], **more: Unpack[EncodeOptions]
    ) -> list[EncodeResult]: ...
    def encode(
        self,
        model: str,
        items: Item | list[Item],
        *,
        output_types: list[str] | None = None,
        instruction: str | None = None,
        output_dtype: str | None = None,
        is_query: bool | None = None,
        options: dict[str, Any] | None = None,
        gpu: str | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> EncodeResult | list[EncodeResult]:
        """Represent items.

        Args:
            model: Name of the model.
            items: One, or a list of any length.
            output_types: ``dense``, ``sparse``, ``multivector``; dense if not given.
            instruction: The task in words.
            output_dtype: Number format of the answer.
            is_query: Whether the items are queries.
            options: What the model is told beside, such as ``profile``.
            gpu: Kind of device, or ``pool/kind``.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        side = {} if is_query is None else {"is_query": is_query}
        with renamed(model=model, gpu=gpu or self._gpu):
            chosen, _ = read_options({**self._options, **(options or {}), **side})
            fields = encode_fields(
                chosen,
                output_types=output_types,
                output_dtype=output_dtype,
                instruction=instruction,
            )
            listed, alone = several(items)
            inputs = self._inputs(named(model, chosen), listed)
            mine = [ours(item, f"items[{i}]", inputs) for i, item in enumerate(listed)]
            sent = [bare(in_template(item, chosen, instruction)) for item in mine]
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            place = self._place(gpu)
            encodings = client.encode(
                sent, model=named(model, chosen), timeout=timeout, gpu=place, **fields
            )
        request = request_of(encodings.usage, images=sum("image" in item for item in mine))
        made = [
            encode_result(e, m.get("id"), request) for e, m in zip(encodings, mine, strict=True)
        ]
        return made[0] if alone else made

    def score(
        self,
        model: str,
        query: Item,
        items: list[Item],
        *,
        instruction: str | None = None,
        options: dict[str, Any] | None = None,
        gpu: str | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> ScoreResult:
        """Rank items by a query.

        Args:
            model: Name of the model.
            query: With a text or token vectors.
            items: What is ranked.
            instruction: The task in words.
            options: What the model is told beside.
            gpu: Kind of device, or ``pool/kind``.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        with renamed(model=model, gpu=gpu or self._gpu):
            chosen, _ = read_options({**self._options, **(options or {})})
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            listed = several(items)[0]
            inputs = self._inputs(named(model, chosen), [query, *listed])
            asked = ours(query, "query", inputs, given=True)
            mine = [ours(item, f"items[{i}]", inputs, given=True) for i, item in enumerate(listed)]
            fields = score_fields(chosen, instruction)
            kinds = kinds_of(chosen) or {fields["by"]: 1.0}
            values = [0.0] * len(mine)
            place = self._place(gpu)
            for kind, weight in kinds.items():
                scores = client.score(
                    bare(asked),
                    [bare(item) for item in mine],
                    model=named(model, chosen),
                    timeout=timeout,
                    gpu=place,
                    **{**fields, "by": kind},
                )
                if scores.scores.ndim > 1:
                    refuse_several(scores.scores.shape[1])
                values = [v + weight * float(s) for v, s in zip(values, scores.scores, strict=True)]
        return score_result(scores, values, [item.get("id") for item in mine], asked.get("id"))

    @overload
    def extract(
        self, model: str, items: Item, **more: Unpack[ExtractOptions]
    ) -> ExtractResult: ...
    @overload
    def extract(
        self, model: str, items: list[Item], **more: Unpack[ExtractOptions]
    ) -> list[ExtractResult]: ...
    def extract(
        self,
        model: str,
        items: Item | list[Item],
        *,
        labels: list[str] | None = None,
        output_schema: dict[str, Any] | None = None,
        instruction: str | None = None,
        options: dict[str, Any] | None = None,
        gpu: str | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> ExtractResult | list[ExtractResult]:
        """Find what items hold.

        Args:
            model: Name of the model.
            items: One, or a list.
            labels: What to look for.
            output_schema: JSON Schema of the fields wanted.
            instruction: The task in words.
            options: What the model is told beside.
            gpu: Kind of device, or ``pool/kind``.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        with renamed(model=model, gpu=gpu or self._gpu):
            chosen, _ = read_options({**self._options, **(options or {})})
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            fields = extract_fields(
                chosen, labels=labels, output_schema=output_schema, instruction=instruction
            )
            listed, alone = several(items)
            inputs = self._inputs(named(model, chosen), listed)
            mine = [ours(item, f"items[{i}]", inputs) for i, item in enumerate(listed)]
            found = client.extract(
                [bare(item) for item in mine],
                model=named(model, chosen),
                timeout=timeout,
                gpu=self._place(gpu),
                errors="return",
                **fields,
            )
        request = request_of(found.usage, images=sum("image" in item for item in mine))
        names = named_all([item.get("id") for item in mine])
        made = [extract_result(f, name, request) for f, name in zip(found, names, strict=True)]
        return made[0] if alone else made

    def list_models(self) -> list[ModelInfo]:
        """Every model of the server, and each of its profiles; none is loaded for it."""
        return [model_of(told) for told in (self._rest.ask("GET", "/v1/models"))["models"]]

    def get_model(self, model: str) -> ModelInfo:
        """One model, perhaps with a profile (``model:profile``); it is not loaded for it."""
        with renamed(model=model):
            path = model_path(model)
        return model_of(self._rest.ask("GET", f"/v1/{path}"))

    def get_capacity(self, *, gpu: str | None = None) -> CapacityInfo:
        """Workers and models at this moment.

        Args:
            gpu: Count only workers of this kind of machine.
        """
        with renamed(gpu=gpu):
            return capacity_info(self._client.capacity(gpu))

    def wait_for_capacity(
        self,
        gpu: str,
        *,
        model: str | None = None,
        timeout_s: float | None = None,
        poll_interval_s: float = 5.0,
    ) -> CapacityInfo:
        """Wait until a worker of a kind of machine is there.

        Args:
            gpu: The kind.
            model: A model to load on it meanwhile.
            timeout_s: Seconds to wait at most; 300 if not given.
            poll_interval_s: Seconds between two looks.

        Raises:
            ProvisioningError: None came in time.
        """
        with renamed(model=model, gpu=gpu):
            seen = self._client.wait_for_capacity(
                gpu, model=model, timeout=timeout_s or WAIT_SECONDS, poll_interval=poll_interval_s
            )
        return capacity_info(seen)

    def watch(
        self, *, mode: Literal["auto", "cluster", "worker"] = "auto"
    ) -> Generator[StatusMessage]:
        """How the server stands, again and again, until it stops or you leave.

        Args:
            mode: ``cluster`` for the whole, once a second; ``worker`` for one worker, five
                times; ``auto`` for the whole.

        Raises:
            RequestError: The server refuses it.
            SIEConnectionError: No server answers, or it went away.
        """
        with renamed():
            with closing(self._feed.messages(path_of(mode))) as told:
                for message in told:
                    yield cast("StatusMessage", message)

    def create_pool(
        self,
        name: str,
        gpus: dict[str, int] | None = None,
        gpu_caps: dict[str, int] | None = None,
        bundle: str | None = None,
        minimum_worker_count: int | None = None,
        pinned_models: list[str] | None = None,
        *,
        queue_pool: str | None = None,
    ) -> None:
        """Make a pool of workers, or change and renew the one of that name.

        Calls with ``gpu="NAME/KIND"`` are answered by it. It is renewed in the background until
        this client is closed, and ends 1,200 seconds after it was last renewed or used.

        Args:
            name: Its name.
            gpus: Workers wanted, by kind of device.
            gpu_caps: Workers at most; told back, for one server has the workers it has.
            bundle: Told back: one server has one.
            minimum_worker_count: Told back.
            pinned_models: Told back.
            queue_pool: Told back.

        Raises:
            PoolError: It cannot be made.
        """
        spec: dict[str, Any] = {"name": name, "gpus": gpus, "gpu_caps": gpu_caps, "bundle": bundle}
        spec |= {"minimum_worker_count": minimum_worker_count, "pinned_models": pinned_models}
        with of_pool(name):
            pool = self._client.create_pool(pool_spec({**spec, "queue_pool": queue_pool}))
        self._renewal.keep(name, pool.spec.ttl_seconds)

    def get_pool(self, name: str) -> PoolInfo | None:
        """A pool as it stands; ``None`` if there is none of that name."""
        with of_pool(name):
            pool = self._client.get_pool(name)
        return None if pool is None else pool_info(pool)

    def delete_pool(self, name: str) -> bool:
        """Forget a pool; ``False`` if there is none of that name."""
        self._renewal.forget(name)
        with of_pool(name):
            return self._client.delete_pool(name)

    def _place(self, gpu: str | None) -> str | None:
        """Where a call is answered; the client's own pool is made before its first call."""
        if self._own is None and self._pool is not None:
            self.create_pool(**self._pool)
            self._own = self._pool["name"]
        wanted = gpu or self._gpu
        return wanted if wanted is not None or self._own is None else f"{self._own}/"

    def _inputs(self, model: str, items: list[Any]) -> tuple[Modality, ...]:
        """What a model reads, if an item leaves open which of its parts counts."""
        if not any(map(is_open, items)):
            return ()
        info = self._client.model(model)
        return info.inputs if info.architecture else ()

    def _asked(
        self, wait: bool, seconds: float | None, tries: int
    ) -> tuple[Client, float | None]:
        """Whom to ask, and for how long: with patience if a device is waited for."""
        return self._patient(tries, wait=wait), (seconds or PROVISION_SECONDS) if wait else None

    def _patient(self, tries: int, *, wait: bool) -> Client:
        """Our client with the patience asked for; all share their connections."""
        if isinstance(tries, bool) or not isinstance(tries, int) or tries < 0:
            raise InvalidInput(
                f"max_oom_retries={tries!r}: a count from 0 was expected", param="max_oom_retries"
            )
        policy = RetryPolicy(waits=REFUSED if wait else HASTY, memory_attempts=tries)
        made = Client(backend=self._backend, timeout=self._timeout, retries=policy)
        return self._clients.setdefault((wait, tries), made)
