"""What ``extract`` returns: what each item holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from stelae.errors import StelaeError
from stelae.types import (
    Classification,
    DetectedObject,
    Entity,
    Extraction,
    Relation,
    Usage,
)

if TYPE_CHECKING:
    from stelae.types.lazy import np


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What one item holds.

    Attributes:
        entities: Names, with where they stand; in order of the text.
        relations: How names belong together, best first.
        classifications: Classes of the item, best first.
        objects: Things seen in a picture, best first.
        data: Fields, as the schema or the model names them.
        tokens: Tokens (or patches) run.
        truncated: Whether the item was cut.
        model: Name of the model that ran.
        fingerprint: Identifies weights and dtype.
        id: The name the caller gave the item.
        metadata: What the caller put beside the item.
        error: Why the item failed, with ``errors="return"``.
    """

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    classifications: tuple[Classification, ...] = ()
    objects: tuple[DetectedObject, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0
    truncated: bool = False
    model: str = ""
    fingerprint: str = ""
    id: str | None = None
    metadata: dict[str, Any] | None = None
    error: StelaeError | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Extractions(Sequence[Extracted]):
    """What several items hold, in the order given; a sequence of ``Extracted``.

    Attributes:
        items: What was found in each; nothing in a failed one.
        tokens: Tokens (or patches) run per item, shape ``(N,)``.
        truncated: Whether an item was cut, shape ``(N,)``.
        errors: Why items failed, by index; empty unless ``errors="return"``.
        usage: Tokens run in all.
        model: Name of the model that ran.
        fingerprint: Identifies weights and dtype.
        ids: The names the caller gave the items.
        metadata: What the caller put beside the items.
    """

    items: Sequence[Extraction]
    tokens: np.typing.NDArray[np.int32]
    truncated: np.typing.NDArray[np.bool_]
    model: str
    fingerprint: str
    usage: Usage
    ids: Sequence[str | None]
    metadata: Sequence[dict[str, Any] | None]
    errors: dict[int, StelaeError] = field(default_factory=dict)

    def _row(self, index: int) -> Extracted:
        found = self.items[index]
        return Extracted(
            entities=found.entities,
            relations=found.relations,
            classifications=found.classifications,
            objects=found.objects,
            data=found.data,
            tokens=int(self.tokens[index]),
            truncated=bool(self.truncated[index]),
            model=self.model,
            fingerprint=self.fingerprint,
            id=self.ids[index],
            metadata=self.metadata[index],
            error=self.errors.get(index),
        )

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Extracted: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Extracted]: ...
    def __getitem__(self, index: int | slice) -> Extracted | Sequence[Extracted]:
        if isinstance(index, slice):
            return [self._row(i) for i in range(*index.indices(len(self)))]
        return self._row(range(len(self))[index])

    def __iter__(self) -> Iterator[Extracted]:
        return (self._row(i) for i in range(len(self)))

    def __repr__(self) -> str:
        facts = [f"{len(self)} items", f"model={self.model!r}", f"{self.usage.tokens} tokens"]
        if cut := int(self.truncated.sum()):
            facts.append(f"{cut} truncated")
        if self.errors:
            facts.append(f"{len(self.errors)} failed")
        return f"Extractions({', '.join(facts)})"
