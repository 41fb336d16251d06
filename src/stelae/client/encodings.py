"""What ``encode`` returns: one ``Encoding`` per item, ``Encodings`` for a list."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, overload

from stelae.client._columns import Columns, Vector, as_array, asked
from stelae.errors import StelaeError
from stelae.types import Quantization, Ragged, Sparse, SparseVector, Timing, Usage
from stelae.types.lazy import np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Encoding:
    """What a model made of one item.

    ``numpy.asarray(encoding)`` is its dense vector.

    Attributes:
        columns: Its representations, as columns of one row; read them by the
            properties ``dense``, ``sparse`` and ``multivector``.
        tokens: Tokens that were run, special tokens included.
        truncated: Whether the item was longer than the model reads, and cut.
        model: Name of the model that ran.
        fingerprint: Identifies weights, pooling, normalisation, prompts and dtype;
            vectors of different fingerprints must not be compared.
        id: The name the caller gave the item.
        metadata: What the caller put beside the item.
        error: Why the item failed, with ``errors="return"``.
        timing: Where the time of its request went.
    """

    columns: Columns
    tokens: int
    truncated: bool
    model: str
    fingerprint: str
    id: str | None = None
    metadata: dict[str, Any] | None = None
    error: StelaeError | None = None
    timing: Timing = field(default_factory=Timing)

    @property
    def dense(self) -> Vector:
        """The vector, shape ``(D,)``; NaN (or 0 in whole numbers) if the item failed.

        Raises:
            InvalidInput: It was not asked for.
        """
        vector: Vector = asked(self.columns.dense, "dense")[0]
        return vector

    @property
    def sparse(self) -> SparseVector:
        """The ids and the weights of its terms; none if the item failed.

        Raises:
            InvalidInput: They were not asked for.
        """
        return asked(self.columns.sparse, "sparse")[0]

    @property
    def multivector(self) -> Vector:
        """One vector per token, shape ``(T, D)``; none if the item failed.

        Raises:
            InvalidInput: They were not asked for.
        """
        return asked(self.columns.multivector, "multivector")[0]

    @property
    def quantization(self) -> Quantization | None:
        """How to read ``dense`` if it is in whole numbers; arrays of one row."""
        return self.columns.quantization

    def dequantized(self) -> Self:
        """The same with all vectors and weights as float32, whatever dtype was asked for."""
        return dataclasses.replace(self, columns=self.columns.dequantized())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return as_array(self.dense, dtype, copy)

    def __repr__(self) -> str:
        named = f"id={self.id!r}, " if self.id is not None else ""
        if self.error is not None:
            return f"Encoding({named}error={self.error!r})"
        cut = ", truncated" if self.truncated else ""
        return f"Encoding({named}{', '.join(self.columns.facts)}, {self.tokens} tokens{cut})"


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Encodings(Sequence[Encoding]):
    """What a model made of several items, in the order given.

    A sequence of ``Encoding``, and its columns: ``numpy.asarray(encodings)`` is
    the matrix ``dense``.

    Attributes:
        columns: The representations; read them by the properties ``dense``,
            ``sparse`` and ``multivector``.
        tokens: Tokens run per item, shape ``(N,)``, special tokens included.
        truncated: Whether an item was cut, shape ``(N,)``.
        errors: Why items failed, by index; empty unless ``errors="return"``.
        usage: Tokens run in all.
        model: Name of the model that ran.
        fingerprint: Identifies weights, pooling, normalisation, prompts and dtype.
        ids: The names the caller gave the items.
        metadata: What the caller put beside the items.
        timings: Where the time of each item's request went; empty if nothing is known.
    """

    columns: Columns
    tokens: NDArray[np.int32]
    truncated: NDArray[np.bool_]
    model: str
    fingerprint: str
    usage: Usage
    ids: Sequence[str | None]
    metadata: Sequence[dict[str, Any] | None]
    errors: dict[int, StelaeError] = field(default_factory=dict)
    timings: Sequence[Timing] = ()

    @property
    def dense(self) -> Vector:
        """One vector per item, shape ``(N, D)``; the row of a failed item is NaN.

        In whole numbers, which have no NaN, it is 0. In ``"binary"`` and
        ``"ubinary"`` eight numbers share a byte: shape ``(N, ceil(D / 8))``.

        Raises:
            InvalidInput: They were not asked for.
        """
        return asked(self.columns.dense, "dense")

    @property
    def sparse(self) -> Sparse:
        """The terms of each item; ``sparse[i]`` has the ids and weights of item ``i``.

        Raises:
            InvalidInput: They were not asked for.
        """
        return asked(self.columns.sparse, "sparse")

    @property
    def multivector(self) -> Ragged:
        """The token vectors of each item; ``multivector[i]`` has the shape ``(T_i, D)``.

        Raises:
            InvalidInput: They were not asked for.
        """
        return asked(self.columns.multivector, "multivector")

    @property
    def quantization(self) -> Quantization | None:
        """How to read ``dense`` if it is in whole numbers; that of token vectors is with them."""
        return self.columns.quantization

    def dequantized(self) -> Self:
        """The same with all vectors and weights as float32, whatever dtype was asked for."""
        return dataclasses.replace(self, columns=self.columns.dequantized())

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
            columns=self.columns.row(index),
            tokens=int(self.tokens[index]),
            truncated=bool(self.truncated[index]),
            model=self.model,
            fingerprint=self.fingerprint,
            id=self.ids[index],
            metadata=self.metadata[index],
            error=self.errors.get(index),
            timing=self.timings[index] if self.timings else Timing(),
        )

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return as_array(self.dense, dtype, copy)

    def __repr__(self) -> str:
        facts = [f"{len(self)} x {', '.join(self.columns.facts)}", f"model={self.model!r}"]
        facts.append(f"{self.usage.tokens} tokens")
        if cut := int(self.truncated.sum()):
            facts.append(f"{cut} truncated")
        if self.errors:
            facts.append(f"{len(self.errors)} failed")
        return f"Encodings({', '.join(facts)})"
