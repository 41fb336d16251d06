"""One vector per multi-vector, whose dot products stand for late interaction.

Space is cut into cells by random planes, again and again. In every cell a query has the
sum of its tokens, a document their mean, or its nearest token where it has none. The
dot product of the two, cell by cell, matches each query token with document tokens of
about its direction: an estimate of MaxSim from below.

Source: Dhulipala et al. 2024, sections 2 and 2.1 (arXiv:2405.19504). The last step, which
makes the vectors shorter, is the count sketch of Charikar, Chen and Farach-Colton 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from stelae.errors import InvalidInput
from stelae.types import Muvera, Role
from stelae.types.lazy import np
from stelae.vectors import checks
from stelae.vectors.products import products
from stelae.vectors.ragged import texts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stelae.types import Matrix, Ragged
    from stelae.vectors.ragged import Floats

MOST_NUMBERS = 1 << 24
"""Widest vectors, before they are made shorter: 64 MiB each."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is random.

    Attributes:
        planes: Normals of the planes of all repetitions, shape ``(R * k, D)``.
        places: Number of the result that each number is added to; ``None`` without sketch.
        signs: Its sign there.
    """

    planes: Floats
    places: NDArray[np.intp] | None = None
    signs: Floats | None = None


def encode(texts: Sequence[Matrix] | Matrix | Ragged, role: Role, parameters: Muvera) -> Floats:
    """Turn the token vectors of each text into one vector.

    Args:
        texts: One matrix per text, shape ``(T_i, D)``; or packed; or one text.
        role: Queries and documents are encoded differently.
        parameters: The same for queries and documents that are to be compared.

    Returns:
        Vectors, shape ``(N, width(parameters, D))``. The dot product of a query's and a
        document's estimates their MaxSim score from below: it ranks, it does not measure.

    Raises:
        InvalidInput: A text is empty or holds NaN, or a parameter is out of range.
    """
    held = texts_of(texts, "texts")
    count = len(held.offsets) - 1
    check(parameters, held.width)
    found = np.zeros((count, width(parameters, held.width)), np.float32)
    if not count:
        return found
    plan = _plan(parameters, held.width)
    room = np.empty((int(np.diff(held.offsets).max()), held.width), np.float32)
    for index in range(count):
        tokens = held.rows(index, index + 1, room)
        checks.finite(tokens, f"texts[{index}]")
        cells = _cells(tokens, _codes(tokens, plan, parameters), role, 2**parameters.projections)
        found[index] = _sketch(cells.ravel(), plan, found.shape[1])
    # Repetitions are averaged, half of it on each side.
    found /= np.float32(np.sqrt(parameters.repetitions))
    return found


def width(parameters: Muvera, dimensions: int) -> int:
    """Width of the vectors made from token vectors of so many dimensions.

    A sketch only makes vectors shorter; one as wide as they are is left out.
    """
    whole: int = parameters.repetitions * 2**parameters.projections * dimensions
    return min(parameters.dimensions or whole, whole)


def check(parameters: Muvera, dimensions: int) -> None:
    """Refuse parameters out of range.

    Raises:
        InvalidInput: Names the parameter.
    """
    ranges = {
        "repetitions": (1, 1000),
        "projections": (0, 16),
        "dimensions": (1, MOST_NUMBERS),
        "seed": (0, 2**32 - 1),
    }
    for name, (low, high) in ranges.items():
        value = getattr(parameters, name)
        if value is not None and not low <= value <= high:
            raise _out_of_range(name, value, f"it must be from {low} to {high}")
    whole = parameters.repetitions * 2**parameters.projections * dimensions
    if whole > MOST_NUMBERS:
        raise _out_of_range(
            "projections",
            parameters.projections,
            f"{parameters.repetitions} repetitions of {2**parameters.projections} cells with "
            f"{dimensions} numbers are {whole:,}, more than {MOST_NUMBERS:,}",
        )


def _out_of_range(name: str, value: int, reason: str) -> InvalidInput:
    return InvalidInput(f"muvera.{name}={value}: {reason}", param=f"muvera.{name}")


@lru_cache(maxsize=4)
def _plan(parameters: Muvera, dimensions: int) -> _Plan:
    # NumPy promises that the numbers of RandomState never change: vectors kept in an index
    # must fit queries of years later.
    random = np.random.RandomState(parameters.seed)
    count = parameters.repetitions * parameters.projections
    planes = random.standard_normal((count, dimensions)).astype(np.float32)
    whole = parameters.repetitions * 2**parameters.projections * dimensions
    shorter = width(parameters, dimensions)
    if shorter == whole:
        return _Plan(planes)
    places = random.randint(0, shorter, whole).astype(np.intp)
    return _Plan(planes, places, (2 * random.randint(0, 2, whole) - 1).astype(np.float32))


def _codes(tokens: Floats, plan: _Plan, parameters: Muvera) -> NDArray[np.int64]:
    """Cell of each token in each repetition, shape ``(R, T)``: one bit for each plane."""
    shape = parameters.repetitions, parameters.projections, len(tokens)
    room = np.empty(len(plan.planes) * len(tokens), np.float32)
    sides = (products(plan.planes, tokens, room) > 0).reshape(shape)
    bits = 1 << np.arange(parameters.projections, dtype=np.int64)
    codes: NDArray[np.int64] = (sides * bits[:, None]).sum(axis=1)
    return codes


def _cells(tokens: Floats, codes: NDArray[np.int64], role: Role, cells: int) -> Floats:
    """What is in each cell of each repetition, shape ``(R * cells, D)``."""
    repetitions, count = codes.shape
    found = np.zeros((repetitions * cells, tokens.shape[1]), np.float32)
    place = (codes + cells * np.arange(repetitions)[:, None]).ravel()
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    sums = np.add.reduceat(tokens[order % count], starts, axis=0)
    filled = place[order[starts]]
    if role is Role.QUERY:
        found[filled] = sums
        return found
    found[filled] = sums / np.diff(starts, append=len(order))[:, None].astype(np.float32)
    empty = np.ones((repetitions, cells), np.bool_)
    empty.ravel()[filled] = False
    for own, missing, block in zip(codes, empty, np.split(found, repetitions), strict=True):
        lacking = np.flatnonzero(missing)
        nearest = np.bitwise_count(lacking[:, None] ^ own).argmin(axis=1)
        block[lacking] = tokens[nearest]
    return found


def _sketch(numbers: Floats, plan: _Plan, shorter: int) -> Floats:
    """Add up the numbers that fall on the same place, half of them negated."""
    if plan.places is None or plan.signs is None:
        return numbers
    sums = np.bincount(plan.places, numbers * plan.signs, minlength=shorter)
    return sums.astype(np.float32)
