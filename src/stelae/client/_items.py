"""Items as callers write them, checked and cut into requests: pure, shared by both clients."""

from __future__ import annotations

from collections.abc import AsyncIterable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from stelae.client._pictures import Deferred, is_picture, loaded, picture
from stelae.client._place import Place
from stelae.client._sounds import is_sound, sound
from stelae.errors import InvalidInput
from stelae.types import EncodeCall, ExtractCall, Item, ScoreCall
from stelae.types.lazy import np
from stelae.wire import data_uri

if TYPE_CHECKING:
    from stelae.client._pictures import PictureLike

    ItemLike = str | Item | Mapping[str, object] | PictureLike
    """One thing to encode, to score or to look into: a text, a picture (its file's bytes or path,
    a data URI, a Pillow image, an array of pixels), a recording (its file's bytes or path, a data
    URI), an ``Item``, or a mapping with its fields."""
else:
    ItemLike = Any  # a name for annotations, which must not load NumPy

AnyCall = TypeVar("AnyCall", EncodeCall, ScoreCall, ExtractCall)

MAX_ITEMS = 128
"""Items in one request, unless the caller says otherwise."""

MAX_BYTES = 512 * 1024
"""Bytes of text in one request; one item larger than this goes alone."""

PICTURE_SHARE = 16
"""Bytes of a picture or a recording that count as one byte of text, by what a model does."""

_FORMS = ("text", "token_ids", "image", "pixels", "audio", "multivector")
MATRIX_SHARE = 64
"""Bytes of token vectors that count as one byte of text: they only travel."""

_FIELDS = Item.__struct_fields__
_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """The items of one request, and the index of the first among all of the call."""

    start: int
    items: list[Item]
    name: str = "items"

    def call(self, template: AnyCall) -> AnyCall:
        """The request: what ``template`` asks for, for these items.

        Raises:
            InvalidInput: A file or a picture cannot be read.
        """
        sent = [
            sendable(item, Place(self.name, index))
            for index, item in enumerate(self.items, self.start)
        ]
        changes: dict[str, Any] = {self.name: sent}
        return msgspec.structs.replace(template, **changes)


class Packer:
    """Cuts a run of items into chunks, in order, each under the limits."""

    def __init__(
        self, batch_size: int | None = None, max_bytes: int = MAX_BYTES, name: str = "items"
    ) -> None:
        self._name = name
        self._max_items = batch_size or MAX_ITEMS
        self._max_bytes = max_bytes
        self._start = 0
        self._items: list[Item] = []
        self._bytes = 0

    def add(self, value: object) -> Chunk | None:
        """Take one item in; returns the chunk that it completed or did not fit into.

        Raises:
            InvalidInput: The value is not an item; the message names its index.
        """
        item, size = checked(value, Place(self._name, self._start + len(self._items)))
        done = None
        if self._items and self._bytes + size > self._max_bytes:
            done = self.rest()
        self._items.append(item)
        self._bytes += size
        if done is None and len(self._items) >= self._max_items:
            done = self.rest()
        return done

    def rest(self) -> Chunk | None:
        """The chunk of what has not been given out yet."""
        if not self._items:
            return None
        chunk = Chunk(self._start, self._items, self._name)
        self._start += len(self._items)
        self._items, self._bytes = [], 0
        return chunk

    def pack(self, values: Iterable[object]) -> Iterator[Chunk]:
        """All chunks of some values."""
        for value in values:
            if (chunk := self.add(value)) is not None:
                yield chunk
        if (chunk := self.rest()) is not None:
            yield chunk


@dataclass(frozen=True, slots=True)
class One:
    """A caller gave one item."""

    item: ItemLike


@dataclass(frozen=True, slots=True)
class Many:
    """A caller gave a collection whose size is known."""

    items: Collection[Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """A caller gave something to iterate over, of any length."""

    items: Any


def sorted_out(given: Any, streams: tuple[type, ...], name: str = "items") -> One | Many | Stream:
    """Tell one item, a collection and a stream apart.

    Args:
        given: What the caller wants encoded.
        streams: What the client can read item by item.
        name: What the caller calls it, for errors.

    Raises:
        InvalidInput: It is none of these, or a collection without a stated order.
    """
    if is_picture(given):  # or a recording: all bytes and paths are one of them
        return One(given)
    if isinstance(given, np.ndarray):
        given = given.tolist()  # NumPy texts become str, a single one becomes one item
    if isinstance(given, str | Item | Mapping):
        return One(given)
    if isinstance(given, set | frozenset):
        raise _refused(name, "a set has no order to give the answers in", "give a list")
    if hasattr(given, "columns"):
        raise _refused(name, "a table is not a list of texts", "give one of its columns")
    if isinstance(given, Collection):
        return Many(given)
    if isinstance(given, streams):
        return Stream(given)
    if isinstance(given, AsyncIterable):
        raise _refused(name, "this client reads no asynchronous iterable", "use stelae.AsyncClient")
    raise _refused(name, f"{type(given).__name__} is not an item or several", _EXPECTED)


def checked(value: object, place: Place) -> tuple[Item, int]:
    """The item that a value means, and its size in bytes, pictures at their share.

    Args:
        value: A text, a picture, a recording, an ``Item``, or a mapping with an item's fields.
        place: Where it stands among what the caller gave; named in errors.

    Raises:
        InvalidInput: The value is none of these, or cannot be sent.
    """
    if is_sound(value):
        return _audio(value, place)
    if isinstance(value, str) and not data_uri.is_picture(value):
        return _text(value, place)
    if is_picture(value):
        return _image(value, place)
    match value:
        case Item() if type(value.text) is str and _is_bare_text(value):
            return value, text_size(value.text, place)
        case Item():
            return _from_fields({name: getattr(value, name) for name in _FIELDS}, place)
        case Mapping():
            return _from_fields(value, place)
        case int() | np.integer():
            raise place.wrong("is a number; token ids of a text go in {'token_ids': [...]}")
        case _:
            raise place.wrong(f"is of type {type(value).__name__}; {_EXPECTED}")


def text_size(text: str, place: Place) -> int:
    """Bytes of a text in UTF-8.

    Raises:
        InvalidInput: It holds half of a surrogate pair, which UTF-8 cannot.
    """
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{place}: character {error.start} is a lone surrogate "
            f"(U+{ord(text[error.start]):04X}), which is not text",
            param=str(place),
            hint="clean it with text.encode('utf-8', 'replace').decode()",
            details={} if place.index is None else {"index": place.index},
        ) from error


_EXPECTED = (
    "give a str, a stelae.Item, a picture, a recording or a dict with 'text', 'token_ids', "
    "'image', 'pixels' or 'audio'"
)


def _is_bare_text(item: Item) -> bool:
    others = (item.token_ids, item.image, item.pixels, item.audio, item.multivector, item.id)
    return all(part is None for part in others)


def _plain(text: str) -> str:
    # A subclass (numpy.str_, an enum) is turned into the text it is.
    return text if type(text) is str else str.__str__(text)


def _from_fields(fields: Mapping[Any, Any], place: Place) -> tuple[Item, int]:
    if unknown := [name for name in fields if name not in _FIELDS]:
        raise place.wrong(f"has the unknown key {unknown[0]!r}; keys are {', '.join(_FIELDS)}")
    given = [form for form in _FORMS if fields.get(form) is not None]
    if len(given) != 1:
        raise place.wrong(f"needs exactly one of {', '.join(map(repr, _FORMS))}")
    item, size = _READ[given[0]](fields[given[0]], place)
    name, metadata = fields.get("id"), fields.get("metadata")
    if name is not None and not isinstance(name, str):
        raise place.wrong(f"has an 'id' of type {type(name).__name__}; give a str")
    if metadata is not None and not isinstance(metadata, dict):
        raise place.wrong(f"has a 'metadata' of type {type(metadata).__name__}; give a dict")
    return msgspec.structs.replace(item, id=name, metadata=metadata), size


def _text(value: Any, place: Place) -> tuple[Item, int]:
    if not isinstance(value, str):
        raise place.wrong(f"has a 'text' of type {type(value).__name__}; give a str")
    text = _plain(value)
    return Item(text=text), text_size(text, place)


def _token_ids(value: Any, place: Place) -> tuple[Item, int]:
    ids = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(ids, list | tuple) and all(type(token) is int and token >= 0 for token in ids):
        return Item(token_ids=list(ids)), _ID_BYTES * len(ids)
    raise place.wrong("has 'token_ids' that are not a list of whole numbers >= 0")


def _image(value: Any, place: Place) -> tuple[Item, int]:
    if not is_picture(value):
        raise place.wrong(
            f"has an 'image' of type {type(value).__name__}; give bytes, a path (pathlib.Path), a "
            "data URI, a Pillow image or an array"
        )
    item, size = picture(value, place)
    return item, size // PICTURE_SHARE


def _audio(value: Any, place: Place) -> tuple[Item, int]:
    item, size = sound(value, place)
    return item, size // PICTURE_SHARE


def _pixels(value: Any, place: Place) -> tuple[Item, int]:
    if not (isinstance(value, np.ndarray) and is_picture(value)):
        raise place.wrong("has 'pixels' that are not a NumPy array of numbers, (H, W) or (H, W, 3)")
    return _image(value, place)


def _multivector(value: Any, place: Place) -> tuple[Item, int]:
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "iuf":
        return Item(multivector=value), value.nbytes // MATRIX_SHARE
    raise place.wrong("has a 'multivector' that is not a NumPy matrix of numbers, (tokens, width)")


_READ = {
    "text": _text,
    "token_ids": _token_ids,
    "image": _image,
    "audio": _audio,
    "pixels": _pixels,
    "multivector": _multivector,
}


def sendable(item: Item, place: Place) -> Item:
    """The item as the server gets it: nothing of the caller's notes, files read.

    Raises:
        InvalidInput: A file or a picture cannot be read.
    """
    if isinstance(item, Deferred):
        return loaded(item, place)
    if item.id is None and item.metadata is None:
        return item
    return msgspec.structs.replace(item, id=None, metadata=None)


def _refused(name: str, fault: str, hint: str) -> InvalidInput:
    return InvalidInput(f"{name}: {fault}", param=name, hint=hint)
