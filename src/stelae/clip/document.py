"""A document: a text or a picture, and all that belongs to it."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np

from stelae.clip import loading, summary
from stelae.clip.array import DocumentArray
from stelae.clip.scores import NamedScore, Scores
from stelae.errors import InvalidInput

T = TypeVar("T")

CONTENTS = ("text", "blob", "tensor")
"""What a document may hold one of."""


class Field(Generic[T]):
    """An attribute of a document that has a value even when nobody gave one."""

    def __init__(self, empty: Callable[[], T], convert: Callable[[Any], T] | None = None) -> None:
        self.empty = empty
        self.convert = convert
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, document: None, owner: type) -> Self: ...
    @overload
    def __get__(self, document: Document, owner: type) -> T: ...
    def __get__(self, document: Document | None, owner: type) -> T | Self:
        if document is None:
            return self
        if self.name not in document._values:
            value = self.empty()
            if not isinstance(value, (dict, list)):
                return value
            document._values[self.name] = value  # what is put into it stays
        kept: T = document._values[self.name]
        return kept

    def __set__(self, document: Document, value: Any) -> None:
        if value is None:
            document._values.pop(self.name, None)
        else:
            convert = self.convert
            document._values[self.name] = value if convert is None else convert(value)


class Content(Field[T]):
    """Text, bytes or pixels: whoever sets one of them takes the others away."""

    def __set__(self, document: Document, value: Any) -> None:
        if value is not None:
            for name in CONTENTS:
                document._values.pop(name, None)
        super().__set__(document, value)


class Uri(Field[str]):
    """Where a picture is; its ending tells its kind."""

    def __set__(self, document: Document, value: Any) -> None:
        super().__set__(document, None if value is None else os.fspath(value))
        if value and not document.mime_type:
            document.mime_type = mimetypes.guess_type(document.uri)[0]


class Nested(DocumentArray):
    """The chunks or the matches of a document, which tell how deep they lie.

    Args:
        marks: Attributes that each document gets as it comes in.
        documents: What it holds at first.
    """

    def __init__(self, marks: Mapping[str, Any], documents: Iterable[Document] = ()) -> None:
        self._marks = marks
        super().__init__(documents)

    def _taken(self, document: Document) -> Document:
        for name, value in self._marks.items():
            setattr(document, name, value)
        return super()._taken(document)


class Inner(Field[DocumentArray]):
    """The documents inside a document."""

    def __init__(self, marks: Callable[[Document], Mapping[str, Any]]) -> None:
        super().__init__(DocumentArray)
        self.marks = marks

    @overload
    def __get__(self, document: None, owner: type) -> Self: ...
    @overload
    def __get__(self, document: Document, owner: type) -> DocumentArray: ...
    def __get__(self, document: Document | None, owner: type) -> DocumentArray | Self:
        if document is None:
            return self
        if self.name not in document._values:
            document._values[self.name] = Nested(self.marks(document))
        kept: DocumentArray = document._values[self.name]
        return kept

    def __set__(self, document: Document, value: Any) -> None:
        given = [value] if isinstance(value, Document) else value
        made = None if value is None else Nested(self.marks(document), given)
        super().__set__(document, made)


def _chunk_marks(document: Document) -> dict[str, Any]:
    return {"granularity": document.granularity + 1, "parent_id": document.id}


def _match_marks(document: Document) -> dict[str, Any]:
    return {"adjacency": document.adjacency + 1}


class Document:
    """A text or a picture, with what is known about it.

    It is a text if ``text`` is set; it is a picture if ``uri``, ``blob`` or ``tensor`` is. Of
    ``text``, ``blob`` and ``tensor`` it has one: setting one takes the others away. Rather give
    ``uri`` than ``blob``: the client reads the picture when its turn comes, and forgets it then.

    Args:
        given: Attributes as a mapping, or a document to copy.
        attributes: Values of the attributes below; others are put into ``tags``.

    Attributes:
        id: Its name; 32 random hexadecimal digits unless given.
        text: A sentence.
        uri: Path, address or data URI of a picture.
        blob: Bytes of a picture's file.
        tensor: Pixels of a picture, shape ``(H, W, C)``.
        embedding: Vector, shape ``(D,)``; ``None`` until it is encoded.
        matches: Documents that it is compared with.
        chunks: Documents that it consists of.
        scores: By name, how well it matches the document whose match it is.
        evaluations: Scores by name, for the caller.
        tags: What else belongs to it, JSON values by name.
        mime_type: Kind of the file at ``uri``.
        weight: For the caller.
        modality: For the caller.
        offset: For the caller.
        location: For the caller.
        granularity: How many documents it is a chunk in.
        adjacency: How many steps of matches it is away from the root.
        parent_id: ``id`` of the document that it is a chunk of.
    """

    __slots__ = ("_values",)

    id = Field(lambda: "", str)
    text = Content(lambda: "", str)
    uri = Uri(lambda: "")
    blob = Content(lambda: b"", bytes)
    tensor: Content[Any] = Content(lambda: None)
    embedding: Field[Any] = Field(lambda: None)
    matches = Inner(_match_marks)
    chunks = Inner(_chunk_marks)
    scores: Field[Scores] = Field(Scores, Scores)
    evaluations: Field[Scores] = Field(Scores, Scores)
    tags: Field[dict[str, Any]] = Field(dict, dict)
    mime_type = Field(lambda: "", str)
    weight = Field(float, float)
    modality = Field(lambda: "", str)
    offset = Field(float, float)
    location: Field[list[float]] = Field(list, list)
    granularity = Field(int, int)
    adjacency = Field(int, int)
    parent_id = Field(lambda: "", str)

    def __init__(
        self, given: Document | Mapping[str, Any] | None = None, **attributes: Any
    ) -> None:
        self._values: dict[str, Any] = {"id": os.urandom(16).hex()}
        if isinstance(given, Document):
            present = {name: getattr(given, name) for name in given.non_empty_fields}
            attributes = present | attributes
        elif given is not None:
            attributes = {**given, **attributes}
        more = {name: attributes.pop(name) for name in list(attributes) if name not in FIELDS}
        for name in (*FIRST, *attributes):
            if name in attributes:
                setattr(self, name, attributes[name])
        if more:
            self.tags.update(more)

    @property
    def content(self) -> Any:
        """The text, the bytes or the tensor, whichever it has; else ``None``."""
        kind = self.content_type
        return None if kind is None else getattr(self, kind)

    @content.setter
    def content(self, value: Any) -> None:
        kinds = {str: "text", bytes: "blob", np.ndarray: "tensor"}
        if type(value) not in kinds:
            raise InvalidInput(
                f"content of type {type(value).__name__}; give a str, bytes or an array"
            )
        setattr(self, kinds[type(value)], value)

    @property
    def content_type(self) -> str | None:
        """Which of ``text``, ``blob`` and ``tensor`` it has; ``None`` if none."""
        return next((name for name in CONTENTS if name in self.non_empty_fields), None)

    @property
    def non_empty_fields(self) -> tuple[str, ...]:
        """The attributes that have a value, in a fixed order."""
        values = self._values
        return tuple(name for name in ORDER if name in values and _says(values[name]))

    def get(self, name: str) -> Any:
        """A value by name; ``tags__colour`` and ``scores__clip_score__value`` reach inside.

        Returns:
            The value; ``None`` where a key is not there.

        Raises:
            AttributeError: A document has no such attribute.
        """
        first, *inside = name.split("__")
        value = getattr(self, first)
        for key in inside:
            value = _inside(value, key)
            if value is None:
                return None
        return value

    def load_uri_to_blob(self, timeout: float | None = None) -> Self:
        """Read the picture at ``uri`` into ``blob``.

        Args:
            timeout: Seconds that an address may take to answer.

        Raises:
            InvalidInput: There is no picture to be read.
        """
        kind = self.mime_type
        self.blob = loading.read(self.uri, timeout)
        self.mime_type = kind
        return self

    def pop(self, *names: str) -> None:
        """Empty some attributes."""
        for name in names:
            setattr(self, name, None)

    def summary(self) -> None:
        """Print what it has, and what is inside it."""
        summary.show(summary.of_document(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document) or self.non_empty_fields != other.non_empty_fields:
            return False
        return all(
            _same(getattr(self, name), getattr(other, name)) for name in self.non_empty_fields
        )

    def __hash__(self) -> int:
        return hash(self.id)

    def __copy__(self) -> Document:
        return type(self)(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.non_empty_fields} at {self.id}>"


FIELDS = {name for name, value in vars(Document).items() if isinstance(value, Field)} | {"content"}
FIRST = ("id", "granularity", "adjacency", "mime_type")
"""Attributes that others look at when they are set."""

ORDER = (
    *("id", "parent_id", "granularity", "adjacency", "blob", "tensor", "mime_type", "text"),
    *("weight", "uri", "tags", "offset", "location", "embedding", "modality", "evaluations"),
    *("scores", "chunks", "matches"),
)


def _says(value: Any) -> bool:
    return True if isinstance(value, np.ndarray) else value is not None and bool(_sized(value))


def _sized(value: Any) -> Any:
    """What is asked whether it is empty: foreign tensors would rather not be."""
    plain = isinstance(value, (str, bytes, int, float, dict, list, DocumentArray))
    return value if plain else True


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def _inside(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(value, (list, tuple, DocumentArray)) and key.isdecimal():
        return value[int(key)]
    return getattr(value, key)


__all__ = ["Document", "NamedScore"]
