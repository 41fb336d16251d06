"""What ``score`` returns: how well each document fits the query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from stelae.client._columns import as_array
from stelae.errors import InvalidInput, StelaeError
from stelae.types import Usage
from stelae.types.lazy import np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well one document fits.

    Attributes:
        index: Place of the document among those given.
        score: Higher is better; NaN if the document failed.
        label: What the score is for, if the model has several labels.
        id: The name the caller gave the document.
        metadata: What the caller put beside the document.
        error: Why the document failed, with ``errors="return"``.
    """

    index: int
    score: float
    label: str | None = None
    id: str | None = None
    metadata: dict[str, Any] | None = None
    error: StelaeError | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Scores(Sequence[Score]):
    """How well several documents fit a query, in the order given.

    A sequence of ``Score``, and its columns: ``numpy.asarray(scores)`` is the
    array ``scores``. Of a model with several labels, each ``Score`` is that of the
    document's highest label.

    Attributes:
        scores: Shape ``(N,)``, or ``(N, L)`` for ``L`` labels; NaN for failed documents.
        labels: Names of the ``L`` labels; empty for one score per document.
        tokens: Tokens run per document, shape ``(N,)``, special tokens included.
        truncated: Whether a document, or the query beside it, was cut, shape ``(N,)``.
        errors: Why documents failed, by index; empty unless ``errors="return"``.
        usage: Tokens run in all.
        model: Name of the model that ran.
        fingerprint: Identifies weights, prompts and dtype.
        ids: The names the caller gave the documents.
        metadata: What the caller put beside the documents.
    """

    scores: NDArray[np.float32]
    tokens: NDArray[np.int32]
    truncated: NDArray[np.bool_]
    model: str
    fingerprint: str
    usage: Usage
    ids: Sequence[str | None]
    metadata: Sequence[dict[str, Any] | None]
    labels: tuple[str, ...] = ()
    errors: dict[int, StelaeError] = field(default_factory=dict)

    def order(self, top_k: int | None = None, *, label: str | None = None) -> NDArray[np.intp]:
        """Indices of the documents, best first; of equal ones the first given comes first.

        Failed documents are left out.

        Args:
            top_k: How many at most; all if not given.
            label: The label that counts, for models with several; each document's
                highest if not given.

        Raises:
            InvalidInput: There is no such label, or ``top_k`` is no count.
        """
        if top_k is not None and (type(top_k) is not int or top_k < 1):
            raise InvalidInput(f"top_k={top_k!r}: give a count above 0", param="top_k")
        values = self._values(label)
        order = np.argsort(-values, kind="stable")  # NaN comes last
        return order[: int(np.count_nonzero(~np.isnan(values)))][:top_k]

    def ranked(self, top_k: int | None = None, *, label: str | None = None) -> list[Score]:
        """The scores of the documents, best first; see ``order``."""
        return [self._row(index, label) for index in self.order(top_k, label=label).tolist()]

    def _values(self, label: str | None) -> NDArray[np.float32]:
        if label is not None:
            return self.scores[:, self._place(label)]
        if self.scores.ndim == 1:
            return self.scores
        highest: NDArray[np.float32] = self.scores.max(axis=1, initial=-np.inf)
        return highest

    def _place(self, label: str) -> int:
        if label not in self.labels:
            known = ", ".join(map(repr, self.labels)) or "no labels"
            raise InvalidInput(f"label={label!r}: the model has {known}", param="label")
        return self.labels.index(label)

    def _row(self, index: int, label: str | None = None) -> Score:
        row = self.scores[index]
        place = None
        if row.ndim:
            place = int(np.argmax(row)) if label is None else self._place(label)
        return Score(
            index=index,
            score=float(row if place is None else row[place]),
            label=None if place is None or index in self.errors else self.labels[place],
            id=self.ids[index],
            metadata=self.metadata[index],
            error=self.errors.get(index),
        )

    def __len__(self) -> int:
        return len(self.tokens)

    @overload
    def __getitem__(self, index: int) -> Score: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Score]: ...
    def __getitem__(self, index: int | slice) -> Score | Sequence[Score]:
        if isinstance(index, slice):
            return [self._row(i) for i in range(*index.indices(len(self)))]
        return self._row(range(len(self))[index])

    def __iter__(self) -> Iterator[Score]:
        return (self._row(i) for i in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return as_array(self.scores, dtype, copy)

    def __repr__(self) -> str:
        kinds = f" x {len(self.labels)} labels" if self.labels else ""
        facts = [f"{len(self)} documents{kinds}", f"model={self.model!r}"]
        facts.append(f"{self.usage.tokens} tokens")
        if cut := int(self.truncated.sum()):
            facts.append(f"{cut} truncated")
        if self.errors:
            facts.append(f"{len(self.errors)} failed")
        return f"Scores({', '.join(facts)})"
