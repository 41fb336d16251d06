"""The client's interface over a model in this very process: no server, no socket.

The rooms behind it are the server's, from the service down, on an event loop in
a thread of their own: calls are checked, batched and reported in the same way.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from msgspec.structs import replace

from stelae.catalog.catalog import Catalog
from stelae.client import Client, ServerInfo
from stelae.client._options import ComputeDtypeName, compute_dtype, count
from stelae.client._streams import CHAT, IMAGE, SPEAK, TRANSCRIBE, C, P, Verb
from stelae.cluster.controller import Placement
from stelae.cluster.local import LocalController
from stelae.engines.base import EngineOptions
from stelae.errors import Cancelled, DeadlineExceeded
from stelae.service.deployments import Defaults
from stelae.service.house import build
from stelae.service.inference import Caller
from stelae.types import (
    CachedModel,
    Capacity,
    Card,
    CollectionInfo,
    ComputeDtype,
    Document,
    EncodeCall,
    EncodeResult,
    EngineFit,
    ExtractCall,
    ExtractResult,
    IndexCall,
    IndexResult,
    LaunchCall,
    LaunchInfo,
    ModelInfo,
    ModelKind,
    Pool,
    PoolSpec,
    Registration,
    ReplicaInfo,
    ScoreCall,
    ScoreResult,
    SearchCall,
    SearchResult,
)
from stelae.version import __version__

T = TypeVar("T")
Stream = Callable[[Any, Caller], AsyncGenerator[list[Any]]]
"""A verb of the house that answers piece by piece."""


def local(
    model: str | os.PathLike[str] = "default",
    *,
    dtype: ComputeDtype | ComputeDtypeName = "auto",
    threads: int | None = None,
    engine: str | None = None,
    loras: Mapping[str, str | os.PathLike[str]] | None = None,
) -> Client:
    """Load a model into this process.

    Args:
        model: A known name, a folder with a checkpoint, or a hub id, which is
            fetched if it is not in the cache yet.
        dtype: Number format to compute in; ``"auto"`` takes the fastest faithful one.
        threads: CPU threads to compute with; ``None`` takes all cores.
        engine: Name of the engine to use and no other.
        loras: Adapters that calls may name: folder or hub id by name.

    Returns:
        A client of that model, loaded; close it to free the memory. Its calls
        have no time limit unless they state one.

    Raises:
        ModelNotFound: No such name, folder or hub id.
        UnsupportedCheckpoint: Part of the checkpoint is not implemented.
        MissingDependency: The engine lacks a package.
        InvalidInput: An option is not one of those it takes.

    Example:
        >>> with local("all-MiniLM-L6-v2") as client:
        ...     encodings = client.encode(["a text", "another one"])
        >>> encodings.dense.shape
        (2, 384)
    """
    options = _options(dtype, threads)
    catalog = Catalog()
    entry = catalog.register_argument(os.fspath(model))
    adapters = {key: os.fspath(source) for key, source in (loras or {}).items()} or entry.loras
    entry = replace(entry, engine=engine or entry.engine, loras=adapters)
    name = catalog.register(entry).name
    backend = LocalBackend(catalog, options)
    try:
        backend.load(name, None, None, None)
    except BaseException:
        backend.close()
        raise
    return Client(backend=backend, model=name, timeout=None)


class LocalBackend:
    """Answers a client from models in this process; see ``stelae.client.Backend``."""

    address = "this process"

    def __init__(self, catalog: Catalog, options: EngineOptions) -> None:
        controller = LocalController(Placement.THREAD)
        self._house = build(catalog, controller, defaults=Defaults(options=options, keeps=False))
        asked = self._house.inference
        self._streams: dict[str, Stream] = {
            CHAT.name: asked.chat,
            IMAGE.name: asked.image,
            TRANSCRIBE.name: asked.transcribe,
            SPEAK.name: asked.speak,
        }
        self._started = time.monotonic()
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="stelae-local", daemon=True)
        self._thread.start()

    def encode(self, call: EncodeCall, timeout: float | None) -> EncodeResult:
        """Encode the items of one call."""
        return self._answer(self._house.inference.encode(call, self._caller(timeout)))

    def score(self, call: ScoreCall, timeout: float | None) -> ScoreResult:
        """Score the documents of one call."""
        return self._answer(self._house.inference.score(call, self._caller(timeout)))

    def extract(self, call: ExtractCall, timeout: float | None) -> ExtractResult:
        """Look into the items of one call."""
        return self._answer(self._house.inference.extract(call, self._caller(timeout)))

    def stream(self, verb: Verb[C, P], call: C, timeout: float | None) -> Generator[list[P]]:
        """Answer one call piece by piece."""
        stream = self._streams[verb.name](call, self._caller(timeout))
        try:
            while (made := self._answer(anext(stream, None))) is not None:
                yield made
        finally:
            self._answer(stream.aclose())

    def models(self, timeout: float | None) -> list[ModelInfo]:
        """The models that can be asked for."""
        return self._answer(_called(self._house.fleet.models), timeout)

    def model(self, name: str, timeout: float | None) -> ModelInfo:
        """One model."""
        return self._answer(_called(partial(self._house.fleet.model, name)), timeout)

    def load(
        self, name: str, engine: str | None, dtype: str | None, timeout: float | None
    ) -> ModelInfo:
        """Load a model; does nothing if it is loaded."""
        wanted = None if dtype is None else ComputeDtype(dtype)
        return self._answer(self._house.fleet.load(name, engine, wanted), timeout)

    def unload(self, name: str, timeout: float | None) -> ModelInfo:
        """Unload a model; does nothing if it is not loaded."""
        return self._answer(self._house.fleet.unload(name), timeout)

    def capacity(self, timeout: float | None) -> Capacity:
        """This process and its models at this moment."""
        return self._answer(_called(self._house.lookout.capacity), timeout)

    def create_pool(self, spec: PoolSpec, timeout: float | None) -> Pool:
        """Make a pool, or change and renew it."""
        return self._answer(_called(partial(self._house.pools.create, spec)), timeout)

    def pool(self, name: str, timeout: float | None) -> Pool:
        """One pool."""
        return self._answer(_called(partial(self._house.pools.get, name)), timeout)

    def renew_pool(self, name: str, timeout: float | None) -> Pool:
        """Begin the lease of a pool anew."""
        return self._answer(_called(partial(self._house.pools.renew, name)), timeout)

    def delete_pool(self, name: str, timeout: float | None) -> Pool:
        """Forget a pool."""
        pool = self.pool(name, timeout)
        self._answer(_called(partial(self._house.pools.delete, name)), timeout)
        return pool

    def index(self, call: IndexCall, timeout: float | None) -> IndexResult:
        """Keep the items of one call."""
        return self._answer(self._house.search.index(call, self._caller(timeout)))

    def search(self, call: SearchCall, timeout: float | None) -> SearchResult:
        """Find what is nearest to the queries of one call."""
        return self._answer(self._house.search.search(call, self._caller(timeout)))

    def collections(self, timeout: float | None) -> list[CollectionInfo]:
        """How all collections stand."""
        return self._answer(self._house.search.collections(), timeout)

    def collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """How one stands."""
        return self._answer(self._house.search.collection(name), timeout)

    def drop_collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """Forget a collection."""
        return self._answer(self._house.search.drop(name), timeout)

    def documents(self, name: str, ids: list[str], timeout: float | None) -> list[Document]:
        """Documents by id."""
        return self._answer(self._house.search.documents(name, ids), timeout)

    def update_documents(
        self, name: str, ids: list[str], tags: list[dict[str, Any]], timeout: float | None
    ) -> list[bool]:
        """Give documents other tags."""
        return self._answer(self._house.search.update(name, ids, tags), timeout)

    def delete_documents(
        self, name: str, ids: list[str], condition: dict[str, Any] | None, timeout: float | None
    ) -> int:
        """Forget documents."""
        return self._answer(self._house.search.delete(name, ids, condition), timeout)

    def launch(self, call: LaunchCall, timeout: float | None) -> LaunchInfo:
        """Begin to launch a model."""
        return self._answer(self._house.launches.launch(call), timeout)

    def launches(self, timeout: float | None) -> list[LaunchInfo]:
        """All launched models."""
        return self._answer(_called(self._house.launches.all), timeout)

    def launched(self, uid: str, timeout: float | None) -> LaunchInfo:
        """How far a launch is."""
        return self._answer(_called(partial(self._house.launches.info, uid)), timeout)

    def cancel_launch(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Give a launch up."""
        return self._answer(self._house.launches.cancel(uid), timeout)

    def terminate(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Take a launched model down."""
        info = self.launched(uid, timeout)
        self._answer(self._house.launches.terminate(uid), timeout)
        return info

    def add_replica(
        self, uid: str, gpus: Sequence[int] | None, timeout: float | None
    ) -> ReplicaInfo:
        """Load a launched model once more."""
        given = None if gpus is None else tuple(gpus)
        return self._answer(self._house.launches.add_replica(uid, given), timeout)

    def remove_replica(self, uid: str, number: int, timeout: float | None) -> int:
        """Stop one replica of a launched model."""
        return self._answer(self._house.launches.remove_replica(uid, number), timeout)

    def cards(self, kind: ModelKind | None, timeout: float | None) -> list[Card]:
        """Models that can be launched."""
        return self._answer(_called(partial(self._house.registry.cards, kind)), timeout)

    def card(self, name: str, timeout: float | None) -> Card:
        """One of them."""
        return self._answer(_called(partial(self._house.registry.card, name)), timeout)

    def registrations(self, kind: ModelKind | None, timeout: float | None) -> list[Registration]:
        """What users registered."""
        return self._answer(_called(partial(self._house.registry.registrations, kind)), timeout)

    def register(self, registration: Registration, persist: bool, timeout: float | None) -> Card:
        """Make a model known while this process lives, whatever ``persist`` says."""
        del persist
        return self._answer(self._house.registry.register(registration, persist=False), timeout)

    def unregister(self, name: str, timeout: float | None) -> Registration:
        """Take a registration back."""
        return self._answer(self._house.registry.unregister(name), timeout)

    def engines(self, name: str, timeout: float | None) -> list[EngineFit]:
        """What engines make of a model."""
        return self._answer(self._house.registry.engines(name), timeout)

    def cached(self, name: str | None, timeout: float | None) -> list[CachedModel]:
        """Models whose files are here."""
        return self._answer(self._house.registry.cached(name), timeout)

    def uncache(self, version: str, timeout: float | None) -> CachedModel:
        """Remove the files of one."""
        return self._answer(self._house.registry.uncache(version), timeout)

    def server(self, timeout: float | None) -> ServerInfo:
        """This process."""
        del timeout
        uptime = time.monotonic() - self._started
        return ServerInfo(version=__version__, uptime_s=uptime, pid=os.getpid())

    def close(self) -> None:
        """Unload all and end the thread; calls of other threads end with an error."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _caller(self, timeout: float | None) -> Caller:
        return Caller(request_id=f"local-{next(self._numbers)}", timeout=timeout)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        await self._over.wait()
        await self._house.stop(0.0)

    def _answer(self, work: Awaitable[T], timeout: float | None = None) -> T:
        future = asyncio.run_coroutine_threadsafe(_within(work, timeout), self._loop)
        try:
            return future.result()
        except CancelledError as error:
            raise Cancelled("the client was closed while this call was under way") from error
        finally:
            future.cancel()  # the caller was interrupted


async def _called(function: Callable[[], T]) -> T:
    return function()


async def _within(work: Awaitable[T], timeout: float | None) -> T:
    if timeout is None:
        return await work
    try:
        async with asyncio.timeout(timeout):
            return await work
    except TimeoutError as error:
        raise DeadlineExceeded(f"not done within the {timeout:g} s given") from error


def _options(dtype: str, threads: int | None) -> EngineOptions:
    chosen = None if threads is None else count(threads, "threads")
    return EngineOptions(dtype=compute_dtype(dtype), threads=chosen)


class _Module(ModuleType):
    # ``stelae.local`` is this module once something has imported it: calling it is ``local``.
    __call__ = staticmethod(local)


sys.modules[__name__].__class__ = _Module
