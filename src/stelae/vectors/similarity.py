"""How alike two vectors are: dense, sparse, or packed bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stelae.errors import InvalidInput
from stelae.types import Sparse
from stelae.types.lazy import np
from stelae.vectors import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stelae.vectors.ragged import Floats

    Terms = tuple[ArrayLike, ArrayLike]
    """A sparse vector: indices and the values there, in any order; what is repeated adds up."""
else:
    Terms = Any  # a name for annotations, which must not load NumPy


def dot(a: ArrayLike, b: ArrayLike) -> Floats:
    """Dot products in float32 of each vector of ``a`` with each of ``b``.

    Args:
        a: Vectors, shape ``(N, D)``, or one, shape ``(D,)``.
        b: Vectors, shape ``(M, D)``, or one, shape ``(D,)``.

    Returns:
        Shape ``(N, M)``; a side that is one vector has no axis, so two vectors give a
        number.

    Raises:
        InvalidInput: Widths differ, a vector is empty, or there is NaN or infinity.

    Example:
        >>> dot([[1, 2], [3, 4]], [1, 1])
        array([3., 7.], dtype=float32)
    """
    products: Floats = np.asarray(np.inner(*_pair(a, b)))
    return products


def cosine(a: ArrayLike, b: ArrayLike) -> Floats:
    """Cosine similarity of each vector of ``a`` with each of ``b``; see ``dot``.

    A vector of zeros has no direction: its similarity with anything is 0.

    Returns:
        Numbers in ``[-1, 1]``, shaped like those of ``dot``.

    Raises:
        InvalidInput: As ``dot``.

    Example:
        >>> cosine([3, 4], [[3, 4], [-4, 3], [-6, -8]])
        array([ 1.,  0., -1.], dtype=float32)
    """
    left, right = _pair(a, b)
    cosines: Floats = np.asarray(np.inner(_unit(left), _unit(right)))
    return cosines.clip(-1, 1, out=cosines)


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    left, right = _vectors(a, "a"), _vectors(b, "b")
    checks.same_width(left.shape[-1], right.shape[-1], ("a", "b"))
    return left, right


def _vectors(value: ArrayLike, name: str) -> Floats:
    array = checks.numbers(value, name)
    if array.ndim not in (1, 2) or array.shape[-1] == 0:
        raise InvalidInput(f"{name} has shape {array.shape}, not (D,) or (N, D)", param=name)
    checks.finite(array, name)
    return array.astype(np.float32, copy=False)


def _unit(vectors: Floats) -> Floats:
    # Squares of float32 numbers may be too large or too small for float32.
    squares = np.einsum("...d,...d->...", vectors, vectors, dtype=np.float64)
    lengths = np.sqrt(squares)[..., None]
    unit = np.zeros_like(vectors)
    np.divide(vectors, lengths, out=unit, where=lengths > 0, casting="same_kind")
    return unit


def sparse_dot(a: Terms, b: Terms) -> float:
    """Dot product of two sparse vectors.

    Args:
        a: Indices and values, sorted or not.
        b: Likewise.

    Raises:
        InvalidInput: Indices and values differ in number, an index is negative or no
            whole number, or there is NaN or infinity.

    Example:
        >>> sparse_dot(([7, 2], [0.5, 1.0]), ([2, 3, 7], [2.0, 9.0, 4.0]))
        4.0
    """
    return float(sparse_scores(a, [b])[0])


def sparse_scores(query: Terms, documents: Sequence[Terms] | Sparse) -> Floats:
    """Dot products of a sparse query with sparse documents.

    Args:
        query: Indices and values, sorted or not.
        documents: One pair of indices and values each; or all of them end to end, as the
            column of a result.

    Returns:
        One score per document, shape ``(N,)``; 0 where nothing is shared.

    Raises:
        InvalidInput: As ``sparse_dot``.
    """
    wanted, weights = _merged(*_terms(query, "query"))
    indices, values, owners, count = _columns(documents)
    if not len(wanted):
        return np.zeros(count, np.float32)
    place = np.minimum(np.searchsorted(wanted, indices), len(wanted) - 1)
    shared = wanted[place] == indices
    products = weights[place[shared]] * values[shared]
    return np.bincount(owners[shared], products, minlength=count).astype(np.float32)


def _terms(terms: Terms, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    indices, values = np.asarray(terms[0]), checks.numbers(terms[1], f"values of {name}")
    if indices.shape != values.shape or indices.ndim != 1:
        raise InvalidInput(
            f"{name} has indices of shape {indices.shape} and values of shape {values.shape}; "
            "one value for each index is expected"
        )
    if len(indices) and (indices.dtype.kind not in "iu" or indices.min() < 0):
        raise InvalidInput(f"indices of {name} must be whole numbers from 0 on")
    checks.finite(values, f"values of {name}")
    return indices.astype(np.int64), values.astype(np.float64)


def _merged(indices: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Terms in ascending order, each once."""
    once, place = np.unique(indices, return_inverse=True)
    return once, np.bincount(place, values, minlength=len(once))


def _columns(
    documents: Sequence[Terms] | Sparse,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64], int]:
    """Indices, values and the document of each term of all documents, and how many there are."""
    if isinstance(documents, Sparse):
        indices, values = _terms((documents.indices, documents.values), "documents")
        lengths = np.diff(documents.offsets)
        if lengths.sum() != len(indices) or (lengths < 0).any():
            raise InvalidInput(f"offsets of documents must lead from 0 to the {len(indices)} terms")
    else:
        pairs = [_terms(terms, f"documents[{index}]") for index, terms in enumerate(documents)]
        lengths = np.array([len(indices) for indices, _ in pairs], np.int64)
        indices = np.concatenate([pair[0] for pair in pairs]) if pairs else np.zeros(0, np.int64)
        values = np.concatenate([pair[1] for pair in pairs]) if pairs else np.zeros(0)
    return indices, values, np.repeat(np.arange(len(lengths)), lengths), len(lengths)


def hamming_similarity(a: ArrayLike, b: ArrayLike, *, dimensions: int | None = None) -> Floats:
    """Share of equal bits of each row of ``a`` with each row of ``b``.

    Args:
        a: Packed bits, as ``quantize`` makes them, shape ``(N, B)`` or ``(B,)``; bytes may
            be signed or not.
        b: Likewise, shape ``(M, B)`` or ``(B,)``.
        dimensions: How many bits count, the others being 0 on both sides; ``8 * B`` if
            not given.

    Returns:
        Numbers in ``[0, 1]``, shape ``(N, M)``; a side that is one row has no axis. With
        ``D`` dimensions, ``2 * D * share - D`` is the dot product of the signs.

    Raises:
        InvalidInput: Widths differ, or the numbers are no bytes.

    Example:
        >>> hamming_similarity(np.uint8([0b10100000]), np.uint8([0b10000000]), dimensions=4)
        array(0.75, dtype=float32)
    """
    left, right = _packed(a, "a"), _packed(b, "b")
    checks.same_width(left.shape[-1], right.shape[-1], ("a", "b"))
    bits = 8 * left.shape[-1] if dimensions is None else dimensions
    if not 8 * left.shape[-1] - 8 < bits <= 8 * left.shape[-1]:
        raise InvalidInput(
            f"dimensions={bits} do not fill {left.shape[-1]} bytes", param="dimensions"
        )
    # Row by row: all pairs at once would take B bytes for each of them.
    differ = [np.bitwise_count(row ^ right).sum(axis=-1) for row in np.atleast_2d(left)]
    shares = 1 - np.asarray(differ, np.float32) / np.float32(bits)
    return shares if left.ndim == 2 else np.asarray(shares[0])


def _packed(value: ArrayLike, name: str) -> NDArray[np.uint8]:
    array = np.asarray(value)
    if array.dtype not in (np.uint8, np.int8) or array.ndim not in (1, 2) or not array.shape[-1]:
        raise InvalidInput(
            f"{name} holds {array.dtype} of shape {array.shape}, not bytes of shape (B,) or (N, B)",
            param=name,
        )
    return array.view(np.uint8)
