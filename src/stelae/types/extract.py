"""Extract: items in; names, relations, classes, objects or fields out."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.errors import ErrorInfo
from stelae.types.enums import Truncate
from stelae.types.item import Item
from stelae.types.lazy import np
from stelae.types.usage import Timing, Usage

Box = tuple[float, float, float, float]
"""Left edge, upper edge, width and height in pixels of the picture as it was given."""


class ExtractCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a model what is in each item.

    A text longer than the model reads is read in windows that overlap, and what they
    hold is put together, where the task allows it; ``truncate`` is for the others.

    Attributes:
        model: Name or alias of the model.
        items: What to look at, in order.
        labels: What to look for: kinds of names, classes or objects, or of relations if
            the model finds those only. Empty for what the model was trained to find.
        relations: Kinds of relation to look for between the names found.
        output_schema: JSON Schema of the fields wanted, for models that write.
        instruction: The task in words, for models that take one.
        threshold: Least score of what is returned, 0 to 1; ``None`` as the model says.
        nested: Whether names may lie within each other; otherwise the best are kept.
        multi_label: Whether classes do not exclude each other; ``None`` as the model says.
        hypothesis: Sentence with a place ``{}`` for a class, for models that judge
            whether a text supports a sentence.
        max_new_tokens: Most tokens written, for models that write.
        beams: Width of the search, for models that write.
        truncate: What to do with items that are too long and are not read in windows.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    items: list[Item]
    labels: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    output_schema: dict[str, Any] | None = None
    instruction: str | None = None
    threshold: float | None = None
    nested: bool = False
    multi_label: bool | None = None
    hypothesis: str | None = None
    max_new_tokens: int | None = None
    beams: int | None = None
    truncate: Truncate = Truncate.END
    gpu: str | None = None


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name found.

    Attributes:
        text: The text as it stands in the item.
        label: What it is.
        score: How sure the model is, 0 to 1.
        start: Where it begins in the item's text, in characters of Unicode; ``None`` in
            pictures.
        end: Where it ends, the character after its last.
        bbox: Where it is in the picture.
    """

    text: str
    label: str
    score: float
    start: int | None = None
    end: int | None = None
    bbox: Box | None = None


class Relation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How two names belong together.

    Attributes:
        head: Text of the first.
        tail: Text of the second.
        relation: What the first is to the second.
        score: How sure the model is, 0 to 1.
        head_span: Where the first begins and ends in the item's text.
        tail_span: Where the second begins and ends.
    """

    head: str
    tail: str
    relation: str
    score: float
    head_span: tuple[int, int] | None = None
    tail_span: tuple[int, int] | None = None


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """A class of an item.

    Attributes:
        label: The class.
        score: How sure the model is, 0 to 1.
    """

    label: str
    score: float


class DetectedObject(msgspec.Struct, frozen=True, kw_only=True):
    """A thing seen in a picture.

    Attributes:
        label: What it is.
        score: How sure the model is, 0 to 1.
        bbox: Where it is.
    """

    label: str
    score: float
    bbox: Box


class Extraction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in one item; empty for a failed one.

    Attributes:
        entities: In order of the text; of pictures, best first.
        relations: Best first.
        classifications: Best first.
        objects: Best first.
        data: Fields, as the schema or the model names them.
    """

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    classifications: tuple[Classification, ...] = ()
    objects: tuple[DetectedObject, ...] = ()
    data: dict[str, Any] = {}


class ExtractResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model found, item by item in the order given.

    Attributes:
        model: Name of the model that ran.
        fingerprint: Identifies weights and dtype.
        items: One for each item; empty for a failed one.
        tokens: Tokens (or patches) run per item, shape ``(N,)``.
        truncated: Whether an item was cut, shape ``(N,)``.
        errors: What went wrong, by item index; other items are unharmed.
        usage: Tokens run in all.
        timing: Where the time went.
    """

    model: str
    fingerprint: str
    items: tuple[Extraction, ...]
    tokens: np.typing.NDArray[np.int32]
    truncated: np.typing.NDArray[np.bool_]
    errors: dict[int, ErrorInfo] = {}
    usage: Usage = Usage()
    timing: Timing = Timing()
