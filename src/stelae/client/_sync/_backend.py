# Generated from src/stelae/client/_async/_backend.py by tools/unasync.py: do not edit.
"""What a client talks to: the seam between it and whatever answers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
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


class Backend(Protocol):
    """Answers one request at a time, once: no retries, no splitting.

    ``timeout`` is always the seconds left for the caller, ``None`` for no end.
    Every error is a ``StelaeError``.
    """

    @property
    def address(self) -> str:
        """Where it is, for people."""
        ...

    def encode(self, call: EncodeCall, timeout: float | None) -> EncodeResult:
        """Encode the items of one request."""
        ...

    def score(self, call: ScoreCall, timeout: float | None) -> ScoreResult:
        """Score the documents of one request."""
        ...

    def extract(self, call: ExtractCall, timeout: float | None) -> ExtractResult:
        """Look into the items of one request."""
        ...

    def stream(self, verb: Verb[C, P], call: C, timeout: float | None) -> Generator[list[P]]:
        """Answer one request piece by piece; the last piece, and only that, has usage."""
        ...

    def models(self, timeout: float | None) -> list[ModelInfo]:
        """The models that can be asked for."""
        ...

    def model(self, name: str, timeout: float | None) -> ModelInfo:
        """One model."""
        ...

    def load(
        self, name: str, engine: str | None, dtype: str | None, timeout: float | None
    ) -> ModelInfo:
        """Load a model; does nothing if it is loaded."""
        ...

    def unload(self, name: str, timeout: float | None) -> ModelInfo:
        """Unload a model; does nothing if it is not loaded."""
        ...

    def server(self, timeout: float | None) -> ServerInfo:
        """What serves the models."""
        ...

    def capacity(self, timeout: float | None) -> Capacity:
        """Workers and models at this moment."""
        ...

    def create_pool(self, spec: PoolSpec, timeout: float | None) -> Pool:
        """Make a pool, or change and renew it."""
        ...

    def pool(self, name: str, timeout: float | None) -> Pool:
        """One pool."""
        ...

    def renew_pool(self, name: str, timeout: float | None) -> Pool:
        """Begin the lease of a pool anew."""
        ...

    def delete_pool(self, name: str, timeout: float | None) -> Pool:
        """Forget a pool."""
        ...

    def index(self, call: IndexCall, timeout: float | None) -> IndexResult:
        """Keep the items of one request."""
        ...

    def search(self, call: SearchCall, timeout: float | None) -> SearchResult:
        """Find what is nearest to the queries of one request."""
        ...

    def collections(self, timeout: float | None) -> list[CollectionInfo]:
        """How all collections stand."""
        ...

    def collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """How one stands."""
        ...

    def drop_collection(self, name: str, timeout: float | None) -> CollectionInfo:
        """Forget a collection."""
        ...

    def documents(self, name: str, ids: list[str], timeout: float | None) -> list[Document]:
        """Documents by id."""
        ...

    def update_documents(
        self, name: str, ids: list[str], tags: list[dict[str, Any]], timeout: float | None
    ) -> list[bool]:
        """Give documents other tags."""
        ...

    def delete_documents(
        self, name: str, ids: list[str], condition: dict[str, Any] | None, timeout: float | None
    ) -> int:
        """Forget documents."""
        ...

    def launch(self, call: LaunchCall, timeout: float | None) -> LaunchInfo:
        """Begin to launch a model."""
        ...

    def launches(self, timeout: float | None) -> list[LaunchInfo]:
        """All launched models."""
        ...

    def launched(self, uid: str, timeout: float | None) -> LaunchInfo:
        """How far a launch is."""
        ...

    def cancel_launch(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Give a launch up."""
        ...

    def terminate(self, uid: str, timeout: float | None) -> LaunchInfo:
        """Take a launched model down."""
        ...

    def add_replica(
        self, uid: str, gpus: Sequence[int] | None, timeout: float | None
    ) -> ReplicaInfo:
        """Load a launched model once more."""
        ...

    def remove_replica(self, uid: str, number: int, timeout: float | None) -> int:
        """Stop one replica of a launched model."""
        ...

    def cards(self, kind: ModelKind | None, timeout: float | None) -> list[Card]:
        """Models that can be launched."""
        ...

    def card(self, name: str, timeout: float | None) -> Card:
        """One of them."""
        ...

    def registrations(
        self, kind: ModelKind | None, timeout: float | None
    ) -> list[Registration]:
        """What users registered."""
        ...

    def register(
        self, registration: Registration, persist: bool, timeout: float | None
    ) -> Card:
        """Make a model known."""
        ...

    def unregister(self, name: str, timeout: float | None) -> Registration:
        """Take a registration back."""
        ...

    def engines(self, name: str, timeout: float | None) -> list[EngineFit]:
        """What engines make of a model."""
        ...

    def cached(self, name: str | None, timeout: float | None) -> list[CachedModel]:
        """Models whose files are here."""
        ...

    def uncache(self, version: str, timeout: float | None) -> CachedModel:
        """Remove the files of one."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...
