"""The client: one item, a list or a stream in, vectors out."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Sequence,
)
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

from stelae.client import _gather, _items, _options
from stelae.client._async._backend import AsyncBackend
from stelae.client._async._crew import STREAMS, AnyIterable, AsyncCrew, AsyncJob, async_each
from stelae.client._async._http import AsyncHttpBackend
from stelae.client._gather import Gathered, Table
from stelae.client._items import Chunk, ItemLike, Packer
from stelae.client._options import EncodeOptions, OutputName, Plan, Progress
from stelae.client._progress import shown
from stelae.client._retry import Deadline, Retries, RetryPolicy, policy_of
from stelae.client._values import ServerInfo
from stelae.client.encodings import Encoding, Encodings
from stelae.errors import InvalidInput, StelaeError
from stelae.types import (
    ComputeDtype,
    EmbeddingDtype,
    EncodeResult,
    ModelInfo,
    Role,
    Truncate,
)

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class AsyncClient:
    """Encodes with the models of a Stelae server.

    A client keeps its connections open between calls; use it as a context
    manager, or close it when done.

    Args:
        url: Address of the server.
        api_key: Key to show to the server; never part of a message.
        model: Name of the model for calls that name none. ``"default"`` is the
            server's own choice.
        timeout: Seconds for each request, its retries included; ``None`` waits for ever.
        retries: Further attempts when a request breaks on the way, or a whole
            ``RetryPolicy``; 0 sends every request once.
        max_in_flight: Requests that one call has under way at once.
        http_client: An HTTP client of your own (for proxies, certificates or
            sockets), which you also close.
        backend: Answers in place of the server at ``url``.

    Raises:
        InvalidInput: An argument is not one of those it takes.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        model: str = "default",
        timeout: float | None = 60.0,
        retries: int | RetryPolicy = 3,
        max_in_flight: int = 4,
        http_client: httpx.AsyncClient | None = None,
        backend: AsyncBackend | None = None,
    ) -> None:
        self._retries = Retries(policy_of(retries))
        self._timeout = _options.seconds(timeout, "timeout")
        self._max_in_flight = _options.count(max_in_flight, "max_in_flight")
        self._model = model
        self._backend = backend or AsyncHttpBackend(url, api_key, http_client)
        self._closed = False

    def __repr__(self) -> str:
        state = ", closed" if self._closed else ""
        return f"AsyncClient({self._backend.address!r}, model={self._model!r}{state})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calling it again does nothing."""
        if not self._closed:
            self._closed = True
            await self._backend.aclose()

    # The overloads overlap because a str is a collection of str: the first that fits is meant.
    @overload
    def encode(  # type: ignore[overload-overlap]
        self, items: ItemLike, **options: Unpack[EncodeOptions]
    ) -> Coroutine[Any, Any, Encoding]: ...
    @overload
    def encode(  # type: ignore[overload-overlap]
        self, items: Collection[ItemLike], **options: Unpack[EncodeOptions]
    ) -> Coroutine[Any, Any, Encodings]: ...
    @overload
    def encode(
        self,
        items: AnyIterable[ItemLike],
        **options: Unpack[EncodeOptions],
    ) -> AsyncGenerator[Encoding]: ...
    def encode(
        self,
        items: ItemLike | AnyIterable[ItemLike],
        *,
        model: str | None = None,
        outputs: OutputName | Sequence[OutputName] = "dense",
        role: Role | Literal["query", "document"] | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        dimensions: int | None = None,
        dtype: EmbeddingDtype | Literal["float32", "float16"] = "float32",
        normalize: bool | None = None,
        truncate: Truncate | Literal["end", "start", "error"] = "end",
        errors: Literal["raise", "return"] = "raise",
        progress: Progress = False,
        timeout: float | None = None,
        batch_size: int | None = None,
    ) -> Coroutine[Any, Any, Encoding] | Coroutine[Any, Any, Encodings] | AsyncGenerator[Encoding]:
        """Turn texts into vectors.

        Items are texts, ``Item`` values or dicts with the fields of one. What
        comes back follows what is given:

        * one item: its ``Encoding``;
        * a list, a tuple, a NumPy array of texts or another sized collection:
          ``Encodings``, in the same order. Anything that is not an item is
          refused before a request is sent;
        * any other iterable: an iterator of ``Encoding`` in the same order, which
          reads ahead no further than ``max_in_flight`` requests. Stop early, or
          close it, and the rest is not asked for.

        Long lists are cut into requests of at most 128 items and 512 KiB of
        text; several are under way at once.

        Args:
            items: What to encode.
            model: Name of the model; the client's own if not given.
            outputs: Kinds of representation wanted.
            role: Side of the search, ``"query"`` or ``"document"``: selects the
                prompt of that name, if the model has one.
            prompt_name: Name of one of the model's prompts.
            prompt: A prompt given in full; excludes ``prompt_name``.
            dimensions: Keep the first so many numbers of each vector and normalise
                again; only for models trained for it (Matryoshka).
            dtype: Number format of the vectors.
            normalize: Whether vectors get unit length; ``None`` as the model says.
            truncate: What to do with items longer than the model reads: drop
                tokens at the ``"end"`` or the ``"start"`` (the item is marked
                ``truncated``), or fail them with ``"error"``.
            errors: ``"raise"`` the error of the first failed item, with its
                ``index`` in ``details``, or ``"return"`` each in its ``Encoding``.
            progress: ``True`` shows a bar on standard error; a function is called
                with the items done and the items in all, ``None`` if not known.
            timeout: Seconds for the whole call, retries included; for a stream,
                for each request. ``None`` gives each request the client's own.
            batch_size: Most items in one request. Small ones bring the first
                results of a slow stream earlier.

        Returns:
            Vectors with the tokens run per item and whether it was cut.

        Raises:
            InvalidInput: An item or an option is not one that can be sent, or the
                server refuses it; an empty list is refused too.
            ModelNotFound: The server does not know the model.
            ServerUnreachable: No answer, after all retries.
            DeadlineExceeded: The time was not enough.
            StelaeError: The root of these and of all others.

        Example:
            >>> async with AsyncClient() as client:
            ...     one = await client.encode("a text")
            ...     many = await client.encode(["a text", "another"], role="document")
            ...     stream = client.encode(str(number) for number in range(1000))
            ...     total = sum([encoding.tokens async for encoding in stream])
            >>> one.dense.shape, many.dense.shape
            ((384,), (2, 384))
        """
        plan = _options.plan(
            EncodeOptions(
                model=model,
                outputs=outputs,
                role=role,
                prompt_name=prompt_name,
                prompt=prompt,
                dimensions=dimensions,
                dtype=dtype,
                normalize=normalize,
                truncate=truncate,
                errors=errors,
                progress=progress,
                timeout=timeout,
                batch_size=batch_size,
            ),
            self._model,
        )
        given = _items.sorted_out(items, STREAMS)
        if isinstance(given, _items.One):
            return self._encode_one(given.item, plan)
        if isinstance(given, _items.Many):
            return self._encode_many(given.items, plan)
        return self._encode_stream(given.items, plan)

    async def models(self, *, timeout: float | None = None) -> list[ModelInfo]:
        """The models that the server knows, loaded or not."""
        return await self._ask(self._backend.models, timeout)

    async def model(self, name: str | None = None, *, timeout: float | None = None) -> ModelInfo:
        """One model, by any of its names; the client's own if none is given.

        Raises:
            ModelNotFound: The server does not know it.
        """
        return await self._ask(partial(self._backend.model, name or self._model), timeout)

    async def load(
        self,
        name: str | None = None,
        *,
        engine: str | None = None,
        dtype: ComputeDtype | Literal["auto", "float32", "bfloat16"] | None = None,
        timeout: float | None = None,
    ) -> ModelInfo:
        """Load a model, so that the first request for it does not wait.

        Args:
            name: Name of the model; the client's own if not given.
            engine: Name of the engine to use and no other.
            dtype: Number format to compute in.
            timeout: Seconds to wait; the client's own if not given.

        Raises:
            ModelNotFound: The server does not know it.
            Conflict: It is loaded with another engine or number format.
        """
        wanted = None if dtype is None else _options.compute_dtype(dtype)
        return await self._ask(
            lambda left: self._backend.load(name or self._model, engine, wanted, left), timeout
        )

    async def unload(self, name: str | None = None, *, timeout: float | None = None) -> ModelInfo:
        """Unload a model; requests that it has accepted are still answered."""
        return await self._ask(partial(self._backend.unload, name or self._model), timeout)

    async def server(self, *, timeout: float | None = None) -> ServerInfo:
        """What the server says of itself."""
        return await self._ask(self._backend.server, timeout)

    async def _encode_one(self, item: ItemLike, plan: Plan) -> Encoding:
        chunk = Chunk(0, [_items.checked(item, 0)[0]])
        with shown(plan.progress, 1) as advance:
            result = await self._run(chunk, plan, self._limit(plan), AsyncCrew())
            advance(1)
        return next(Gathered(plan.raises).encodings(chunk, result))

    async def _encode_many(self, items: Collection[ItemLike], plan: Plan) -> Encodings:
        chunks = list(Packer(plan.batch_size).pack(items))
        if not chunks:
            raise InvalidInput("items is empty: give at least one", param="items")
        total = chunks[-1].start + len(chunks[-1].items)
        table = Table(total, Gathered(plan.raises))
        work = self._in_turn if len(chunks) == 1 else self._at_once
        with shown(plan.progress, total) as advance:
            async with aclosing(work(async_each(chunks), plan, self._limit(plan))) as results:
                async for chunk, result in results:
                    table.add(chunk, result)
                    advance(len(chunk.items))
        return table.encodings()

    async def _encode_stream(
        self, items: AnyIterable[ItemLike], plan: Plan
    ) -> AsyncGenerator[Encoding]:
        gathered = Gathered(plan.raises)
        with shown(plan.progress, None) as advance:
            async with (
                aclosing(self._packed(items, plan)) as chunks,
                aclosing(self._at_once(chunks, plan, None)) as results,
            ):
                async for chunk, result in results:
                    for encoding in gathered.encodings(chunk, result):
                        yield encoding
                    advance(len(chunk.items))

    async def _packed(self, items: AnyIterable[ItemLike], plan: Plan) -> AsyncGenerator[Chunk]:
        packer = Packer(plan.batch_size)
        async for item in async_each(items):
            if (chunk := packer.add(item)) is not None:
                yield chunk
        if (chunk := packer.rest()) is not None:
            yield chunk

    async def _in_turn(
        self, chunks: AsyncIterator[Chunk], plan: Plan, limit: Deadline | None
    ) -> AsyncGenerator[tuple[Chunk, EncodeResult]]:
        """Results in the order of the chunks, asked for here and one by one."""
        async for chunk in chunks:
            yield chunk, await self._run(chunk, plan, limit, AsyncCrew())

    async def _at_once(
        self, chunks: AsyncIterator[Chunk], plan: Plan, limit: Deadline | None
    ) -> AsyncGenerator[tuple[Chunk, EncodeResult]]:
        """Results in the order of the chunks, with ``max_in_flight`` requests under way."""
        window: deque[tuple[Chunk, AsyncJob[EncodeResult]]] = deque()
        async with AsyncCrew() as crew:
            async for chunk in chunks:
                job = await crew.start(partial(self._run, chunk, plan, limit, crew))
                window.append((chunk, job))
                while window and (len(window) >= self._max_in_flight or window[0][1].done()):
                    first, job = window.popleft()
                    yield first, await crew.result(job)
            while window:
                first, job = window.popleft()
                yield first, await crew.result(job)

    async def _run(
        self, chunk: Chunk, plan: Plan, limit: Deadline | None, crew: AsyncCrew
    ) -> EncodeResult:
        call = chunk.call(plan.template)
        deadline = limit or Deadline.after(plan.timeout or self._timeout)
        try:
            return await self._send(partial(self._backend.encode, call), deadline, crew)
        except StelaeError as error:
            _gather.move(error, chunk.start)
            raise

    def _limit(self, plan: Plan) -> Deadline | None:
        return None if plan.timeout is None else Deadline.after(plan.timeout)

    async def _ask(
        self, once: Callable[[float | None], Coroutine[Any, Any, T]], timeout: float | None
    ) -> T:
        seconds = _options.seconds(timeout, "timeout") or self._timeout
        return await self._send(once, Deadline.after(seconds), AsyncCrew())

    async def _send(
        self,
        once: Callable[[float | None], Coroutine[Any, Any, T]],
        deadline: Deadline,
        crew: AsyncCrew,
    ) -> T:
        """Ask the backend, and again while that makes sense: the one place that retries."""
        self._retries.budget.earn()
        attempt = 0
        while True:
            if self._closed:
                raise RuntimeError(f"{self!r} is closed; make a new one")
            attempt += 1
            try:
                return await once(deadline.left())
            except StelaeError as error:
                seconds = self._retries.wait(error, attempt, deadline)
            await crew.pause(seconds)
