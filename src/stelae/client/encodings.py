"""What ``encode`` returns: one ``Encoding`` per item, ``Encodings`` for a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from stelae.errors import StelaeError
from stelae.types import Usage
from stelae.types.lazy import np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Vector = NDArray[np.floating[Any]]
    """Numbers of one item, shape ``(D,)``; or of several, shape ``(N, D)``."""
else:
    Vector = Any  # a name for annotations, which must not load NumPy


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Encoding:
    """What a model made of one item.

    ``numpy.asarray(encoding)`` is its vector.

    Attributes:
        dense: The vector, shape ``(D,)``; NaN if the item failed.
        tokens: Tokens that were run, special tokens included.
        truncated: Whether the item was longer than the model reads, and cut.
        model: Name of the model that ran.
        fingerprint: Identifies weights, pooling, normalisation, prompts and dtype;
            vectors of different fingerprints must not be compared.
        id: The name the caller gave the item.
        metadata: What the caller put beside the item.
        error: Why the item failed, with ``errors="return"``.
    """

    dense: Vector
    tokens: int
    truncated: bool
    model: str
    fingerprint: str
    id: str | None = None
    metadata: dict[str, Any] | None = None
    error: StelaeError | None = None

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return _as_array(self.dense, dtype, copy)

    def __repr__(self) -> str:
        named = f"id={self.id!r}, " if self.id is not None else ""
        if self.error is not None:
            return f"Encoding({named}error={self.error!r})"
        cut = ", truncated" if self.truncated else ""
        return (
            f"Encoding({named}{self.dense.shape[0]} {self.dense.dtype}, {self.tokens} tokens{cut})"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Encodings(Sequence[Encoding]):
    """What a model made of several items, in the order given.

    A sequence of ``Encoding``, and its columns: ``numpy.asarray(encodings)`` is
    the matrix ``dense``.

    Attributes:
        dense: One vector per item, shape ``(N, D)``; the row of a failed item is NaN.
        tokens: Tokens run per item, shape ``(N,)``, special tokens included.
        truncated: Whether an item was cut, shape ``(N,)``.
        errors: Why items failed, by index; empty unless ``errors="return"``.
        usage: Tokens run in all.
        model: Name of the model that ran.
        fingerprint: Identifies weights, pooling, normalisation, prompts and dtype.
        ids: The names the caller gave the items.
        metadata: What the caller put beside the items.
    """

    dense: Vector
    tokens: NDArray[np.int32]
    truncated: NDArray[np.bool_]
    model: str
    fingerprint: str
    usage: Usage
    ids: Sequence[str | None]
    metadata: Sequence[dict[str, Any] | None]
    errors: dict[int, StelaeError] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    @overload
    def __getitem__(self, index: int) -> Encoding: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Encoding]: ...
    def __getitem__(self, index: int | slice) -> Encoding | Sequence[Encoding]:
        if isinstance(index, slice):
            return [self._row(i) for i in range(*index.indices(len(self)))]
        return self._row(range(len(self))[index])

    def __iter__(self) -> Iterator[Encoding]:
        return (self._row(i) for i in range(len(self)))

    def _row(self, index: int) -> Encoding:
        return Encoding(
            dense=self.dense[index],
            tokens=int(self.tokens[index]),
            truncated=bool(self.truncated[index]),
            model=self.model,
            fingerprint=self.fingerprint,
            id=self.ids[index],
            metadata=self.metadata[index],
            error=self.errors.get(index),
        )

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return _as_array(self.dense, dtype, copy)

    def __repr__(self) -> str:
        rows, width = self.dense.shape
        facts = [f"{rows} x {width} {self.dense.dtype}", f"model={self.model!r}"]
        facts.append(f"{self.usage.tokens} tokens")
        if cut := int(self.truncated.sum()):
            facts.append(f"{cut} truncated")
        if self.errors:
            facts.append(f"{len(self.errors)} failed")
        return f"Encodings({', '.join(facts)})"


def _as_array(values: NDArray[Any], dtype: DTypeLike | None, copy: bool | None) -> NDArray[Any]:
    if copy is False and dtype is not None and np.dtype(dtype) != values.dtype:
        raise ValueError(f"a {values.dtype} array cannot become {np.dtype(dtype)} without a copy")
    return np.array(values, dtype=dtype) if copy else np.asarray(values, dtype=dtype)
