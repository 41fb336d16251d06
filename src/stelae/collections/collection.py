"""One collection: its documents, and the graph that finds them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from stelae.collections.documents import Documents, Facts
from stelae.collections.filters import where
from stelae.collections.graph import Graph
from stelae.errors import Conflict, StelaeError
from stelae.telemetry import log
from stelae.types import CollectionInfo, Document, Hit

Floats = np.typing.NDArray[np.float32]
P = ParamSpec("P")
T = TypeVar("T")

SAVE_EVERY = 10_000
"""Vectors after which the graph is saved; what came later is linked anew at a start."""

MOST_EMPTY = 10_000
"""Empty positions that are always borne; more only while documents outnumber them."""


def _alone(
    method: Callable[Concatenate[Collection, P], T],
) -> Callable[Concatenate[Collection, P], T]:
    def locked(self: Collection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            return method(self, *args, **kwargs)

    update_wrapper(locked, method)
    return locked


class Collection:
    """Documents with vectors of one model. Methods block, one at a time.

    Args:
        path: Its file of documents; the graph lies beside it.
        facts: What it is made with, if it is new.

    Raises:
        StelaeError: Its file cannot be used.
    """

    def __init__(self, path: Path, facts: Facts | None = None) -> None:
        self.name = path.stem
        self._lock = threading.RLock()
        self._documents = Documents(path, facts)
        self._saved = path.with_suffix(".graph")
        self._graph = self._restored()
        self._unsaved = 0
        self._allowed = np.zeros(len(self._graph), bool)
        self._catch_up()
        self._allowed[self._documents.positions()] = True

    @property
    def facts(self) -> Facts:
        """What it was made with."""
        return self._documents.facts

    @_alone
    def info(self) -> CollectionInfo:
        """How it stands."""
        facts, saved = self.facts, self._saved
        return CollectionInfo(
            name=self.name,
            model=facts.model,
            fingerprint=facts.fingerprint,
            dimensions=facts.dimensions,
            size=int(self._allowed.sum()),
            bytes=self._documents.bytes + (saved.stat().st_size if saved.exists() else 0),
            created=facts.created,
        )

    def check(self, fingerprint: str, dimensions: int) -> None:
        """Whether vectors can be compared with those here.

        Raises:
            Conflict: They are of another model, or of the same one with other options.
        """
        facts = self.facts
        if (facts.fingerprint, facts.dimensions) != (fingerprint, dimensions):
            raise Conflict(
                f"collection '{self.name}' holds vectors of {facts.model} ({facts.fingerprint}, "
                f"{facts.dimensions} numbers), not of {fingerprint} ({dimensions} numbers)",
                hint="name the model it was made with, or use another collection",
            )

    @_alone
    def put(self, documents: Sequence[Document], vectors: Floats) -> int:
        """Keep documents with their vectors, shape ``(N, D)``; returns how many there are."""
        first = self._documents.rows
        left = self._documents.put(documents, vectors)
        self._catch_up()
        self._allowed[first:] = True
        self._empty(left)
        return int(self._allowed.sum())

    @_alone
    def change(self, names: Sequence[str], tags: Sequence[dict[str, Any]]) -> list[bool]:
        """Give documents other tags; says of each whether it is there."""
        return self._documents.change(names, tags)

    @_alone
    def drop(self, names: Sequence[str], condition: Mapping[str, Any] | None = None) -> int:
        """Forget documents by id and those that meet a condition; returns how many."""
        doomed = list(names)
        if condition is not None:
            doomed += self._documents.names(where(condition))
        left = self._documents.drop(doomed)
        self._empty(left)
        return len(left)

    @_alone
    def get(self, names: Sequence[str]) -> list[Document]:
        """Documents by id; those that are not there are left out."""
        return self._documents.get(names)

    @_alone
    def find(self, condition: Mapping[str, Any], limit: int, start: int = 0) -> list[Document]:
        """Documents that meet a condition, in the order in which they were kept.

        Raises:
            InvalidInput: The condition cannot be read.
        """
        chosen = np.sort(self._documents.positions(where(condition)))[start : start + limit]
        found = self._documents.at(chosen)
        return [found[int(position)] for position in chosen]

    @_alone
    def search(
        self, queries: Floats, limit: int, condition: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        """The nearest documents of each query, best first.

        Args:
            queries: Shape ``(Q, D)``.
            limit: Most for each.
            condition: On their tags.

        Raises:
            InvalidInput: The condition cannot be read.
        """
        allowed = self._allowed
        if condition is not None:
            allowed = np.zeros_like(allowed)
            allowed[self._documents.positions(where(condition))] = True
        scores, positions = self._graph.search(queries, limit, allowed)
        found = self._documents.at(positions.ravel())
        return [
            [
                Hit(document=found[int(at)], score=float(score))
                for score, at in zip(*row, strict=True)
            ]
            for row in zip(scores, positions, strict=True)
        ]

    @_alone
    def close(self) -> None:
        """Save the graph, and let the files go."""
        try:
            if self._unsaved:
                self._save()
        finally:
            self._documents.close()

    @_alone
    def delete(self) -> None:
        """Forget the whole collection."""
        self._documents.close()
        for path in (self._documents.path, self._saved):
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)

    # -- the graph ---------------------------------------------------------------------------

    def _empty(self, positions: Sequence[int]) -> None:
        """Pass over positions from now on; when they are too many, begin anew without them."""
        self._allowed[np.asarray(positions, np.int64)] = False
        full = int(self._allowed.sum())
        if len(self._allowed) - full <= max(MOST_EMPTY, full):
            return
        log.get().info("collection_numbered_anew", collection=self.name, documents=full)
        self._documents.note("graph", b"")
        self._documents.number_anew()
        self._graph = Graph(self.facts.dimensions)
        self._allowed = np.zeros(0, bool)
        self._catch_up()
        self._allowed[:] = True

    def _catch_up(self) -> None:
        """Link what the graph does not have yet."""
        for vectors in self._documents.vectors(len(self._graph)):
            self._graph.add(vectors)
            self._unsaved += len(vectors)
        new = np.zeros(len(self._graph) - len(self._allowed), bool)
        self._allowed = np.append(self._allowed, new)
        if self._unsaved >= max(SAVE_EVERY, len(self._graph) // 10):
            self._save()

    def _save(self) -> None:
        # Without a digest the file is not trusted, so a crash between the steps does no harm.
        self._documents.note("graph", b"")
        self._graph.save(self._saved)
        self._documents.note("graph", _digest(self._saved))
        self._unsaved = 0

    def _restored(self) -> Graph:
        """The graph as it was saved; an empty one if it was not, or its file was changed."""
        noted = self._documents.noted("graph")
        try:
            if noted and self._saved.exists() and _digest(self._saved) == noted:
                return Graph.load(self._saved)
        except (StelaeError, OSError) as error:
            log.get().warning("graph_unreadable", collection=self.name, error=str(error))
        return Graph(self.facts.dimensions)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
