"""What a client talks to: the seam between it and whatever answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from stelae.client._streams import C, P, Verb
from stelae.client._values import ServerInfo
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


class AsyncBackend(Protocol):
    """Answers one request at a time, once: no retries, no splitting.

    ``timeout`` is always the seconds left for the caller, ``None`` for no end.
    Every error is a ``StelaeError``.
    """

    @property
    def address(self) -> str:
        """Where it is, for people."""
        ...

    async def encode(self, call: EncodeCall, timeout: float | None) -> EncodeResult:
        """Encode the items of one request."""
        ...

    async def score(self, call: ScoreCall, timeout: float | None) -> ScoreResult:
        """Score the documents of one request."""
        ...

    async def extract(self, call: ExtractCall, timeout: float | None) -> ExtractResult:
        """Look into the items of one request."""
        ...

    def stream(self, verb: Verb[C, P], call: C, timeout: float | None) -> AsyncGenerator[list[P]]:
        """Answer one request piece by piece; the last piece, and only that, has usage."""
        ...

    async def models(self, timeout: float | None) -> list[ModelInfo]:
        """The models that can be asked for."""
        ...

    async def model(self, name: str, timeout: float | None) -> ModelInfo:
        """One model."""
        ...

    async def load(
        self, name: str, engine: str | None, dtype: str | None, timeout: float | None
    ) -> ModelInfo:
        """Load a model; does nothing if it is loaded."""
        ...

    async def unload(self, name: str, timeout: float | None) -> ModelInfo:
        """Unload a model; does nothing if it is not loaded."""
        ...

    async def server(self, timeout: float | None) -> ServerInfo:
        """What serves the models."""
        ...

    async def capacity(self, timeout: float | None) -> Capacity:
        """Workers and models at this moment."""
        ...

    async def create_pool(self, spec: PoolSpec, timeout: float | None) -> Pool:
        """Make a pool, or change and renew it."""
        ...

    async def pool(self, name: str, timeout: float | None) -> Pool:
        """One pool."""
        ...

    async def renew_pool(self, name: str, timeout: float | None) -> Pool:
        """Begin the lease of a pool anew."""
        ...

    async def delete_pool(self, name: str, timeout: float | None) -> Pool:
        """Forget a pool."""
        ...

    async def index(self, call: IndexCall, timeout: float | None) -> IndexResult:
        """Keep the items of one request."""
        ...

    async def search(self, call: SearchCall, timeout: float | None) -> SearchResult:
        """Find what is nearest to the queries of one request."""
        ...

    async def collections(self, timeout: float | None) -> list[CollectionInfo]:
        """How all collections stand."""
        ...

    async def collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """How one stands."""
        ...

    async def drop_collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """Forget a collection."""
        ...

    async def documents(self, name: str, ids: list[str], timeout: float | None) -> list[Document]:
        """Documents by id."""
        ...

    async def update_documents(
        self, name: str, ids: list[str], tags: list[dict[str, Any]], timeout: float | None
    ) -> list[bool]:
        """Give documents other tags."""
        ...

    async def delete_documents(
        self, name: str, ids: list[str], condition: dict[str, Any] | None, timeout: float | None
    ) -> int:
        """Forget documents."""
        ...

    async def launch(self, call: LaunchCall, timeout: float | None) -> LaunchInfo:
        """Begin to launch a model."""
        ...

    async def launches(self, timeout: float | None) -> list[LaunchInfo]:
        """All launched models."""
        ...

    async def launched(self, uid: str, timeout: float | None) -> LaunchInfo:
        """How far a launch is."""
        ...

    async def cancel_launch(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Give a launch up."""
        ...

    async def terminate(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Take a launched model down."""
        ...

    async def add_replica(
        self, uid: str, gpus: Sequence[int] | None, timeout: float | None
    ) -> ReplicaInfo:
        """Load a launched model once more."""
        ...

    async def remove_replica(self, uid: str, number: int, timeout: float | None) -> int:
        """Stop one replica of a launched model."""
        ...

    async def cards(self, kind: ModelKind | None, timeout: float | None) -> list[Card]:
        """Models that can be launched."""
        ...

    async def card(self, name: str, timeout: float | None) -> Card:
        """One of them."""
        ...

    async def registrations(
        self, kind: ModelKind | None, timeout: float | None
    ) -> list[Registration]:
        """What users registered."""
        ...

    async def register(
        self, registration: Registration, persist: bool, timeout: float | None
    ) -> Card:
        """Make a model known."""
        ...

    async def unregister(self, name: str, timeout: float | None) -> Registration:
        """Take a registration back."""
        ...

    async def engines(self, name: str, timeout: float | None) -> list[EngineFit]:
        """What engines make of a model."""
        ...

    async def cached(self, name: str | None, timeout: float | None) -> list[CachedModel]:
        """Models whose files are here."""
        ...

    async def uncache(self, version: str, timeout: float | None) -> CachedModel:
        """Remove the files of one."""
        ...

    async def aclose(self) -> None:
        """Free what is held."""
        ...
