"""How far two sides are apart, and how far they may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stelae.cli.parity.values import Kind, Matrix, Rows, Terms, Value
from stelae.errors import InvalidInput

Numbers = NDArray[np.float64]
Pair = tuple[Numbers, Numbers]


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far numbers may be apart.

    Attributes:
        difference: Most per number, relative to the scale; ``None`` if not limited.
        cosine: Least cosine of any pair of vectors.
    """

    difference: float | None
    cosine: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How far two sides are apart.

    Attributes:
        ok: Whether that is within the tolerance, and the same texts ran as the same tokens.
        compared: Texts, or pairs, of which both sides made something.
        difference: Greatest difference of two numbers, relative to the scale.
        cosine: Least cosine of a pair of vectors.
        worst: Index of the text that is farthest apart.
        failed: Texts that failed on one side only, or came out in another number of vectors.
        tokens_differ: Texts that were cut into another number of tokens.
    """

    ok: bool
    compared: int
    difference: float
    cosine: float
    worst: int
    failed: int
    tokens_differ: int


EXACT = Tolerance(difference=1e-5, cosine=0.999999)
UNIT = Tolerance(difference=2e-6, cosine=0.999999)
COARSE = Tolerance(difference=None, cosine=0.999)
COARSE_DENSE = Tolerance(difference=None, cosine=0.9995)
COARSEST = Tolerance(difference=None, cosine=0.98)


def tolerance_of(kind: Kind, dtype: str, *, unit: bool) -> Tolerance:
    """The tolerance for a kind of numbers.

    Args:
        kind: The kind.
        dtype: Number format that the model computes in.
        unit: Whether its dense vectors have unit length.

    Raises:
        InvalidInput: None is agreed for the number format.
    """
    if dtype == "float32":
        return UNIT if kind is Kind.DENSE and unit else EXACT
    if dtype == "bfloat16":
        return COARSE_DENSE if kind is Kind.DENSE else COARSE
    if dtype == "int8":
        return COARSEST
    raise InvalidInput(f"the model computes in {dtype!r}, for which no tolerance is agreed")


def compare(kind: Kind, ours: Rows, reference: Rows, tolerance: Tolerance) -> Verdict:
    """How far two sides are apart.

    The scale of dense and token vectors is the length of the reference's vector; that
    of weights and scores is the greatest one of the reference, as many are near zero.
    Scores have no direction each, so their cosine is that of all together.

    Raises:
        InvalidInput: Their vectors do not even have the same width.
    """
    pairs = [_aligned(*values) for values in zip(ours.values, reference.values, strict=True)]
    good = [index for index, pair in enumerate(pairs) if isinstance(pair, tuple)]
    both = [pair for pair in pairs if isinstance(pair, tuple)]
    failed = sum(pair is False for pair in pairs)
    tokens = sum(ours.tokens[i] != reference.tokens[i] for i in good)
    apart, cosines = _apart(kind, both)
    worst = good[_worst(apart, cosines)] if good else 0
    difference, cosine = max(apart, default=0.0), min(cosines, default=0.0)
    close = tolerance.difference is None or difference <= tolerance.difference
    agree = close and cosine >= tolerance.cosine
    return Verdict(
        ok=bool(good) and agree and not failed and not tokens,
        compared=len(good),
        difference=difference,
        cosine=cosine,
        worst=worst,
        failed=failed,
        tokens_differ=tokens,
    )


def _aligned(ours: Value, reference: Value) -> Pair | bool:
    """Two values as matrices of one shape; whether it is well that there is none.

    Raises:
        InvalidInput: Their vectors differ in width.
    """
    if ours is None or reference is None:
        return ours is None and reference is None
    if isinstance(ours, tuple) and isinstance(reference, tuple):
        return _side_by_side(ours, reference)
    one, other = _matrix(ours), _matrix(reference)
    if one.shape[1] != other.shape[1]:
        raise InvalidInput(
            f"vectors have {one.shape[1]} numbers, those of the reference "
            f"{other.shape[1]}: these are different models"
        )
    return (one, other) if len(one) == len(other) else False


def _matrix(value: Matrix | Terms) -> Numbers:
    return np.atleast_2d(np.asarray(value, np.float64))


def _side_by_side(ours: Terms, reference: Terms) -> Pair:
    """Weights of the terms that either side has."""
    ids = np.union1d(ours[0], reference[0])
    made = np.zeros((2, 1, len(ids)))
    for row, (terms, weights) in zip(made, (ours, reference), strict=True):
        row[0, np.searchsorted(ids, terms)] = weights
    return made[0], made[1]


def _apart(kind: Kind, pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """Differences and cosines of each text; of scores, one cosine for all."""
    if kind in (Kind.DENSE, Kind.MULTIVECTOR):
        scales = [np.linalg.norm(reference, axis=1, keepdims=True) for _, reference in pairs]
    else:
        top = max((np.abs(reference).max(initial=0.0) for _, reference in pairs), default=0.0)
        scales = [np.full((1, 1), top)] * len(pairs)
    apart = [
        float((np.abs(one - other) / np.maximum(scale, 1e-300)).max(initial=0.0))
        for (one, other), scale in zip(pairs, scales, strict=True)
    ]
    if kind.output is not None:
        return apart, [_cosine(*pair) for pair in pairs]
    return apart, [_cosine(*map(_joined, zip(*pairs, strict=True)))] if pairs else []


def _joined(rows: Iterable[Numbers]) -> Numbers:
    return np.concatenate([row.ravel() for row in rows])[None]


def _cosine(one: Numbers, other: Numbers) -> float:
    """The least of the rows; of two rows of zeros it is 1."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1) / np.maximum(lengths, 1e-300)
    same = ~one.any(axis=1) & ~other.any(axis=1)
    return float(np.where(same, 1.0, cosines).min(initial=1.0))


def _worst(apart: list[float], cosines: list[float]) -> int:
    return int(np.argmin(cosines) if len(cosines) == len(apart) > 1 else np.argmax(apart))
