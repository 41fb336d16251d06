"""A backend that asks a Stelae server over HTTP, in msgpack."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from stelae.client import _collections, _errors, _launches, _login, _registry, _streams, _transport
from stelae.client._collections import CollectionList, Deleted, DocumentList, Updated
from stelae.client._launches import LaunchList, Remaining
from stelae.client._registry import CachedList, CardList, FitList, RegistrationList
from stelae.client._streams import C, Events, P, Verb
from stelae.client._values import ModelList, ServerInfo
from stelae.types import (
    CachedModel,
    Capacity,
    Card,
    CollectionInfo,
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
from stelae.wire import arrays

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class AsyncHttpBackend:
    """One connection pool to one server; see ``AsyncBackend``."""

    def __init__(self, url: str, api_key: str | None, http: httpx.AsyncClient | None) -> None:
        import httpx  # takes as long to import as all the rest, and is only needed here

        self.address = _errors.base_url(url)
        self._headers = _transport.identity(
            _login.key_of(self.address) if api_key is None else api_key
        )
        self._owned = http is None
        self._http = http or httpx.AsyncClient(
            limits=httpx.Limits(**_transport.LIMITS), **_transport.security(self.address)
        )

    async def encode(self, call: EncodeCall, timeout: float | None) -> EncodeResult:
        """Encode the items of one request."""
        return await self._ask("POST", "encode", EncodeResult, timeout, arrays.pack(call))

    async def score(self, call: ScoreCall, timeout: float | None) -> ScoreResult:
        """Score the documents of one request."""
        return await self._ask("POST", "score", ScoreResult, timeout, arrays.pack(call))

    async def extract(self, call: ExtractCall, timeout: float | None) -> ExtractResult:
        """Look into the items of one request."""
        return await self._ask("POST", "extract", ExtractResult, timeout, arrays.pack(call))

    async def stream(
        self, verb: Verb[C, P], call: C, timeout: float | None
    ) -> AsyncGenerator[list[P]]:
        """Answer one request piece by piece."""
        import httpx

        connect = _transport.connect_seconds(timeout)
        events = Events(verb.pieces)
        with _transport.told(self.address, timeout):
            async with self._http.stream(
                "POST",
                self.address + _transport.ROOT + verb.name,
                content=_streams.packed(verb.name, call),
                headers=self._headers | _transport.headers(timeout, _errors.MSGPACK),
                timeout=httpx.Timeout(timeout, connect=connect),
                follow_redirects=False,
            ) as response:
                if response.status_code != 200:
                    body = await response.aread()
                    head = str(response.url), response.status_code, response.headers
                    _errors.read(_errors.Answer(*head, body), list)
                async for data in response.aiter_bytes():
                    for pieces in events.read(data):
                        yield pieces
        if not events.whole:
            raise _streams.broken_off(self.address)

    async def models(self, timeout: float | None) -> list[ModelInfo]:
        """The models the server knows."""
        return (await self._ask("GET", "models", ModelList, timeout)).models

    async def model(self, name: str, timeout: float | None) -> ModelInfo:
        """One model."""
        return await self._ask("GET", _transport.model_path(name), ModelInfo, timeout)

    async def load(
        self, name: str, engine: str | None, dtype: str | None, timeout: float | None
    ) -> ModelInfo:
        """Load a model; does nothing if it is loaded."""
        path = _transport.model_path(name, "load")
        body = _transport.load_body(engine, dtype)
        return await self._ask("POST", path, ModelInfo, timeout, body, _errors.JSON)

    async def unload(self, name: str, timeout: float | None) -> ModelInfo:
        """Unload a model; does nothing if it is not loaded."""
        path = _transport.model_path(name, "unload")
        return await self._ask("POST", path, ModelInfo, timeout)

    async def server(self, timeout: float | None) -> ServerInfo:
        """The server."""
        return await self._ask("GET", "server", ServerInfo, timeout)

    async def capacity(self, timeout: float | None) -> Capacity:
        """Workers and models at this moment."""
        return await self._ask("GET", "capacity", Capacity, timeout)

    async def create_pool(self, spec: PoolSpec, timeout: float | None) -> Pool:
        """Make a pool, or change and renew it."""
        return await self._ask("POST", "pools", Pool, timeout, arrays.pack(spec))

    async def pool(self, name: str, timeout: float | None) -> Pool:
        """One pool."""
        return await self._ask("GET", _transport.pool_path(name), Pool, timeout)

    async def renew_pool(self, name: str, timeout: float | None) -> Pool:
        """Begin the lease of a pool anew."""
        return await self._ask("POST", _transport.pool_path(name, "renew"), Pool, timeout)

    async def delete_pool(self, name: str, timeout: float | None) -> Pool:
        """Forget a pool."""
        return await self._ask("DELETE", _transport.pool_path(name), Pool, timeout)

    async def index(self, call: IndexCall, timeout: float | None) -> IndexResult:
        """Keep the items of one request."""
        return await self._ask("POST", "index", IndexResult, timeout, arrays.pack(call))

    async def search(self, call: SearchCall, timeout: float | None) -> SearchResult:
        """Find what is nearest to the queries of one request."""
        return await self._ask("POST", "search", SearchResult, timeout, arrays.pack(call))

    async def collections(self, timeout: float | None) -> list[CollectionInfo]:
        """How all collections stand."""
        return (await self._ask("GET", "collections", CollectionList, timeout)).collections

    async def collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """How one stands."""
        return await self._ask("GET", _collections.path(name), CollectionInfo, timeout)

    async def drop_collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """Forget a collection."""
        return await self._ask("DELETE", _collections.path(name), CollectionInfo, timeout)

    async def documents(self, name: str, ids: list[str], timeout: float | None) -> list[Document]:
        """Documents by id."""
        path, body = _collections.path(name, "documents"), arrays.pack({"ids": ids})
        return (await self._ask("POST", path, DocumentList, timeout, body)).documents

    async def update_documents(
        self, name: str, ids: list[str], tags: list[dict[str, Any]], timeout: float | None
    ) -> list[bool]:
        """Give documents other tags."""
        path, body = _collections.path(name, "update"), arrays.pack({"ids": ids, "tags": tags})
        return (await self._ask("POST", path, Updated, timeout, body)).updated

    async def delete_documents(
        self, name: str, ids: list[str], condition: dict[str, Any] | None, timeout: float | None
    ) -> int:
        """Forget documents."""
        path = _collections.path(name, "delete")
        body = arrays.pack({"ids": ids, "filter": condition})
        return (await self._ask("POST", path, Deleted, timeout, body)).deleted

    async def launch(self, call: LaunchCall, timeout: float | None) -> LaunchInfo:
        """Begin to launch a model."""
        return await self._ask("POST", "launches", LaunchInfo, timeout, arrays.pack(call))

    async def launches(self, timeout: float | None) -> list[LaunchInfo]:
        """All launched models."""
        return (await self._ask("GET", "launches", LaunchList, timeout)).launches

    async def launched(self, uid: str, timeout: float | None) -> LaunchInfo:
        """How far one is."""
        return await self._ask("GET", _launches.path(uid), LaunchInfo, timeout)

    async def cancel_launch(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Give one up."""
        return await self._ask("POST", _launches.path(uid, "cancel"), LaunchInfo, timeout)

    async def terminate(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Take one down."""
        return await self._ask("DELETE", _launches.path(uid), LaunchInfo, timeout)

    async def add_replica(
        self, uid: str, gpus: Sequence[int] | None, timeout: float | None
    ) -> ReplicaInfo:
        """Load one once more."""
        path, body = _launches.path(uid, "replicas"), _launches.gpus_body(gpus)
        return await self._ask("POST", path, ReplicaInfo, timeout, body, _errors.JSON)

    async def remove_replica(self, uid: str, number: int, timeout: float | None) -> int:
        """Stop one of its replicas."""
        path = _launches.path(uid, f"replicas/{int(number)}")
        return (await self._ask("DELETE", path, Remaining, timeout)).remaining

    async def cards(self, kind: ModelKind | None, timeout: float | None) -> list[Card]:
        """Models that can be launched."""
        path = _registry.listing("cards", kind)
        return (await self._ask("GET", path, CardList, timeout)).cards

    async def card(self, name: str, timeout: float | None) -> Card:
        """One of them."""
        return await self._ask("GET", _registry.path("cards", name), Card, timeout)

    async def registrations(
        self, kind: ModelKind | None, timeout: float | None
    ) -> list[Registration]:
        """What users registered."""
        path = _registry.listing("registrations", kind)
        return (await self._ask("GET", path, RegistrationList, timeout)).registrations

    async def register(
        self, registration: Registration, persist: bool, timeout: float | None
    ) -> Card:
        """Make a model known."""
        body = _registry.body(registration, persist)
        return await self._ask("POST", "registrations", Card, timeout, body)

    async def unregister(self, name: str, timeout: float | None) -> Registration:
        """Take a registration back."""
        path = _registry.path("registrations", name)
        return await self._ask("DELETE", path, Registration, timeout)

    async def engines(self, name: str, timeout: float | None) -> list[EngineFit]:
        """What engines make of a model."""
        path = _registry.path("engines", name)
        return (await self._ask("GET", path, FitList, timeout)).engines

    async def cached(self, name: str | None, timeout: float | None) -> list[CachedModel]:
        """Models whose files are here."""
        return (await self._ask("GET", _registry.cached(name), CachedList, timeout)).models

    async def uncache(self, version: str, timeout: float | None) -> CachedModel:
        """Remove the files of one."""
        return await self._ask("DELETE", _registry.path("cached", version), CachedModel, timeout)

    async def aclose(self) -> None:
        """Close the connections, unless the caller brought them."""
        if self._owned:
            await self._http.aclose()

    async def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        timeout: float | None,
        body: bytes | None = None,
        form: str = _errors.MSGPACK,
    ) -> T:
        import httpx

        with _transport.told(self.address, timeout):
            response = await self._http.request(
                method,
                self.address + _transport.ROOT + path,
                content=body,
                headers=self._headers | _transport.headers(timeout, form if body else None),
                timeout=httpx.Timeout(timeout, connect=_transport.connect_seconds(timeout)),
                follow_redirects=False,
            )
        answer = _errors.Answer(
            str(response.url), response.status_code, response.headers, response.content
        )
        return _errors.read(answer, kind)
