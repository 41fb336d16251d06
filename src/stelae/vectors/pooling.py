"""Fewer vectors per document: similar tokens are joined, and stand as their mean.

Source: Clavié, Chaffin and Adams 2024 (arXiv:2409.14683): Ward linkage of cosine distances,
cut where one vector in ``factor`` is left. Linkage by chains of nearest neighbours, with
distances updated as Lance and Williams do: Müllner 2011 (arXiv:1109.2378).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stelae.errors import InvalidInput
from stelae.types import Ragged
from stelae.types.lazy import np
from stelae.vectors import checks
from stelae.vectors.similarity import cosine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stelae.types import Matrix

PROTECTED = 1
"""Leading vectors that stay as they are: that of the first special token."""


def pool(vectors: Matrix, factor: int, *, protected: int = PROTECTED) -> Matrix:
    """Join similar token vectors of one document.

    Args:
        vectors: Token vectors, shape ``(T, D)``.
        factor: Keep about one vector in so many; 1 keeps all.
        protected: Leading vectors that stay as they are.

    Returns:
        The protected vectors, then one for each group, in the order of the groups' first
        tokens: ``(T - protected) // factor`` groups, but at least one. A mean of unit
        vectors is shorter than they are, and is left so.

    Raises:
        InvalidInput: The factor is below 1, or the vectors hold NaN or infinity.

    Example:
        >>> pool(np.array([[0.6, 0.8], [1, 0], [0, 1], [1, 0], [0, 1]]), 2)
        array([[0.6, 0.8],
               [1. , 0. ],
               [0. , 1. ]])
    """
    _check(vectors, factor)
    count = len(vectors) - protected
    wanted = max(count // factor, 1)
    if wanted >= count:
        return vectors
    rest = vectors[protected:]
    group = _groups(_distances(rest), wanted)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sums = np.add.reduceat(rest[order], starts, axis=0, dtype=np.float32)
    means = sums / np.diff(starts, append=count)[:, None].astype(np.float32)
    return np.concatenate([vectors[:protected], means.astype(vectors.dtype)])


def pool_all(texts: Ragged, factor: int, *, protected: int = PROTECTED) -> Ragged:
    """Join similar token vectors of each document; see ``pool``."""
    bounds = zip(texts.offsets[:-1], texts.offsets[1:], strict=True)
    pooled = [pool(texts.values[a:b], factor, protected=protected) for a, b in bounds]
    offsets = np.cumsum([0, *map(len, pooled)], dtype=np.int64)
    return Ragged(values=np.concatenate([texts.values[:0], *pooled]), offsets=offsets)


def _check(vectors: Matrix, factor: int) -> None:
    if factor < 1:
        raise InvalidInput(f"factor={factor}: it must be 1 or more", param="factor")
    if checks.numbers(vectors, "vectors").ndim != 2:
        raise InvalidInput(f"vectors have shape {vectors.shape}, not (tokens, width)")
    checks.finite(vectors, "vectors")


def _distances(vectors: Matrix) -> NDArray[np.float64]:
    """Squared cosine distances of all pairs; infinite on the diagonal."""
    squares = np.square(np.clip(1.0 - cosine(vectors, vectors).astype(np.float64), 0, 2))
    np.fill_diagonal(squares, np.inf)
    return squares


def _groups(squares: NDArray[np.float64], wanted: int) -> NDArray[np.int64]:
    """Group of each row: the row of its first member."""
    steps = sorted(_dendrogram(squares), key=lambda step: step[2])
    group = np.arange(len(squares))
    for a, b, _ in steps[: len(squares) - wanted]:
        first, second = sorted((group[a], group[b]))
        group[group == second] = first
    return group


def _dendrogram(squares: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """Every step of Ward's linkage as two rows and a height; uses up its argument."""
    size = np.ones(len(squares))
    steps: list[tuple[int, int, float]] = []
    chain: list[int] = []
    while len(steps) < len(squares) - 1:
        if not chain:
            chain.append(int(np.argmax(size > 0)))
        last = chain[-1]
        nearest = int(np.argmin(squares[last]))
        if len(chain) > 1 and squares[last, chain[-2]] <= squares[last, nearest]:
            nearest = chain[-2]
            del chain[-2:]
            steps.append((last, nearest, float(squares[last, nearest])))
            _join(squares, size, last, nearest)
        else:
            chain.append(nearest)
    return steps


def _join(squares: NDArray[np.float64], size: NDArray[Any], gone: int, kept: int) -> None:
    """Put two groups together in the row of one of them."""
    between = squares[gone, kept]
    joined = (size + size[gone]) * squares[gone] + (size + size[kept]) * squares[kept]
    joined = (joined - size * between) / (size + size[gone] + size[kept])
    squares[kept] = squares[:, kept] = joined
    squares[gone] = squares[:, gone] = np.inf
    size[kept] += size[gone]
    size[gone] = 0
