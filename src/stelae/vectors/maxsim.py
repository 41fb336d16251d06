"""Late interaction: the best match of each query token, summed.

A few thousand token vectors at a time are compared with all tokens of the queries,
and only the best match per document is kept: what is under way fits the cache, however
many documents there are. Several threads take such blocks in turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stelae.errors import InvalidInput
from stelae.types.lazy import np
from stelae.vectors import checks
from stelae.vectors.products import products
from stelae.vectors.ragged import Floats, Texts, texts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stelae.types import Matrix, Ragged

ROOM = 5 << 16
"""Numbers under way in one thread: 1.25 MiB of them, about what a core's cache holds."""

QUERY_NUMBERS = 1 << 13
"""Numbers of the query tokens that are compared at once; at least 32 tokens are."""

WORTH_A_THREAD = 1 << 23
"""Multiply-adds that take longer than starting a thread does."""


def maxsim(
    query: Matrix, documents: Sequence[Matrix] | Matrix | Ragged, *, threads: int | None = None
) -> Floats:
    """Score documents against a query by late interaction.

    Each query token is matched with its most similar document token; the score is the
    sum of those similarities.

    Args:
        query: Query token vectors, shape ``(Q, D)``. With L2-normalised vectors a score
            lies in ``[-Q, Q]``.
        documents: One matrix per document, shape ``(T_i, D)`` with ``T_i >= 1``; or all of
            them packed, with their quantization if they have one; or an array ``(N, T, D)``;
            or one document. Any number format; the arithmetic is float32.
        threads: Most threads to use; as many as the machine has processors if not given.

    Returns:
        One score per document, shape ``(N,)``, in the order given.

    Raises:
        InvalidInput: The query or a document is empty or holds NaN, or widths differ.

    Example:
        >>> eye = np.eye(2, dtype=np.float32)
        >>> maxsim(eye, [eye, eye[:1]])
        array([2., 1.], dtype=float32)

    Source:
        Khattab and Zaharia 2020, section 3.3 (arXiv:2004.12832).
    """
    one = checks.matrix(query, "query")
    checks.finite(one, "query")
    scores: Floats = _score(texts_of(one, "query"), texts_of(documents, "documents"), threads)[0]
    return scores


def maxsim_batch(
    queries: Sequence[Matrix] | Matrix | Ragged,
    documents: Sequence[Matrix] | Matrix | Ragged,
    *,
    threads: int | None = None,
) -> Floats:
    """Score every document against every query; see ``maxsim``.

    Args:
        queries: ``M`` queries, in any form that ``documents`` may have.
        documents: ``N`` documents.
        threads: Most threads to use.

    Returns:
        Scores, shape ``(M, N)``.

    Raises:
        InvalidInput: A query or a document is empty or holds NaN, or widths differ.
    """
    return _score(texts_of(queries, "queries"), texts_of(documents, "documents"), threads)


def _score(asked: Texts, held: Texts, threads: int | None) -> Floats:
    scores = np.zeros((len(asked.offsets) - 1, len(held.offsets) - 1), np.float32)
    if scores.size:
        checks.same_width(asked.width, held.width, (asked.name, held.name))
        _fill(scores, _groups(asked), held, threads or _cores())
        # Whatever in a document is not finite shows in its scores, where looking is cheap.
        _name_first(np.asarray(~np.isfinite(scores).all(axis=0)), held)
    return scores


def _name_first(wrong: NDArray[np.bool_], texts: Texts) -> None:
    if wrong.any():
        raise InvalidInput(
            f"{texts.name}[{int(np.argmax(wrong))}] holds NaN, infinity or numbers too large "
            "for float32"
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring tokens of the queries.

    Attributes:
        rows: Their vectors, shape ``(R, D)``.
        starts: The first row of each query that has some of them.
        queries: Which queries these are.
    """

    rows: Floats
    starts: NDArray[np.int64]
    queries: slice


def _groups(asked: Texts) -> list[_Group]:
    offsets, most, groups = asked.offsets, max(32, QUERY_NUMBERS // asked.width), []
    with np.errstate(over="ignore"):
        rows = asked.rows(0, len(offsets) - 1, np.empty((offsets[-1], asked.width), np.float32))
    finite = np.isfinite(rows).all(axis=1)
    _name_first(~np.logical_and.reduceat(finite, offsets[:-1]), asked)
    for start in range(0, len(rows), most):
        stop = min(start + most, len(rows))
        first = int(np.searchsorted(offsets, start, side="right")) - 1
        last = int(np.searchsorted(offsets, stop, side="left"))
        starts = np.maximum(offsets[first:last], start) - start
        groups.append(_Group(rows[start:stop], starts, slice(first, last)))
    return groups


def _fill(scores: Floats, groups: list[_Group], held: Texts, threads: int) -> None:
    most, tokens = len(groups[0].rows), int(held.offsets[-1])
    work = sum(len(group.rows) for group in groups) * tokens * held.width
    threads = max(1, min(threads, work // WORTH_A_THREAD))
    # Blocks must not depend on the number of threads, so that scores do not either.
    blocks = list(_blocks(held.offsets, max(256, ROOM // (most + held.width))))
    longest = max(int(held.offsets[last] - held.offsets[first]) for first, last in blocks)
    todo = iter(blocks)

    def work_off() -> None:
        room = np.empty((longest, held.width), np.float32)
        grid = np.empty(most * longest, np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            for first, last in todo:
                vectors = held.rows(first, last, room)
                starts = held.offsets[first:last] - held.offsets[first]
                for group in groups:
                    best = np.maximum.reduceat(products(group.rows, vectors, grid), starts, axis=1)
                    scores[group.queries, first:last] += np.add.reduceat(best, group.starts, axis=0)

    if threads == 1:
        work_off()
        return
    with ThreadPoolExecutor(threads) as pool:
        for job in [pool.submit(work_off) for _ in range(threads)]:
            job.result()


def _blocks(offsets: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Cut documents into runs of at most ``most`` tokens; a longer one is a run by itself."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last
