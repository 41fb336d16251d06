"""The nearest of many vectors: a navigable graph, and exact search where that is as quick.

Vectors have positions, given in the order they come and never given again: a document that
is changed or dropped leaves its position empty, and searches pass over it.

Source: Malkov and Yashunin 2016 (arXiv:1603.09320), as FAISS makes it.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from stelae.errors import MissingDependency, StelaeError

Floats = np.typing.NDArray[np.float32]
Flags = np.typing.NDArray[np.bool_]
Positions = np.typing.NDArray[np.int64]

LINKS = 16
"""Neighbours that a vector is linked with, per layer (``M``)."""

BUILD_WIDTH = 128
"""Candidates kept while a vector is linked (``efConstruction``)."""

SEARCH_WIDTH = 128
"""Candidates kept while neighbours are looked for (``efSearch``), or twice the limit."""

EXACT = 10_000
"""Up to so many vectors to choose from, each is compared."""


class Graph:
    """Unit vectors by position.

    Args:
        dimensions: Their width.
    """

    def __init__(self, dimensions: int) -> None:
        self._index: Any = _library().IndexHNSWFlat(
            dimensions, LINKS, _library().METRIC_INNER_PRODUCT
        )
        self._index.hnsw.efConstruction = BUILD_WIDTH

    @classmethod
    def load(cls, path: Path) -> Graph:
        """A graph that was saved.

        Raises:
            StelaeError: The file cannot be read.
        """
        graph = cls.__new__(cls)
        try:
            graph._index = _library().read_index(str(path))
        except RuntimeError as error:
            raise StelaeError(f"{path.name} is not a graph: {error}") from error
        return graph

    def save(self, path: Path) -> None:
        """Write it to a file, in one step.

        Raises:
            OSError: It cannot be written.
        """
        draft = path.with_suffix(".part")
        try:
            _library().write_index(self._index, str(draft))
        except RuntimeError as error:
            draft.unlink(missing_ok=True)
            raise OSError(str(error)) from error
        draft.replace(path)

    def __len__(self) -> int:
        """Positions given, empty ones included."""
        return int(self._index.ntotal)

    @property
    def dimensions(self) -> int:
        """Width of the vectors."""
        return int(self._index.d)

    def add(self, vectors: Floats) -> None:
        """Give vectors, shape ``(N, D)``, the next positions."""
        self._index.add(unit(vectors))

    def search(self, queries: Floats, limit: int, allowed: Flags) -> tuple[Floats, Positions]:
        """The nearest vectors of each query, best first.

        Args:
            queries: Shape ``(Q, D)``.
            limit: Most for each.
            allowed: Whether a position may be found, shape ``(len(self),)``.

        Returns:
            Cosines and positions, each of shape ``(Q, min(limit, allowed))``.
        """
        limit = min(limit, int(allowed.sum()))
        if limit == 0:
            empty = (len(queries), 0)
            return np.empty(empty, np.float32), np.empty(empty, np.int64)
        bits = np.packbits(allowed, bitorder="little")
        chosen, wanted = _library().IDSelectorBitmap(bits), unit(queries)
        if allowed.sum() > EXACT:
            found = self._walk(wanted, limit, chosen)
            if found is not None:
                return found
        exact = _library().SearchParameters(sel=chosen)
        scores, positions = self._index.storage.search(wanted, limit, params=exact)
        return scores, positions

    def _walk(self, queries: Floats, limit: int, chosen: Any) -> tuple[Floats, Positions] | None:
        """What the graph finds; ``None`` if it finds too few."""
        width = max(SEARCH_WIDTH, 2 * limit)
        how = _library().SearchParametersHNSW(sel=chosen, efSearch=width)
        scores, positions = self._index.search(queries, limit, params=how)
        return None if (positions < 0).any() else (scores, positions)


def unit(vectors: Floats) -> Floats:
    """The same directions at length 1; a vector of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Floats = np.ascontiguousarray(vectors / np.where(norms > 0, norms, 1), np.float32)
    return result


@cache
def _library() -> Any:
    """FAISS; it takes half a second to import, which only those pay who search.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise MissingDependency(
            "collections need the package faiss-cpu", hint="pip install 'stelae[search]'"
        ) from error
