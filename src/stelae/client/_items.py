"""Items as callers write them, checked and cut into requests: pure, shared by both clients."""

from __future__ import annotations

from collections.abc import AsyncIterable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from stelae.errors import InvalidInput
from stelae.types import EncodeCall, Item
from stelae.types.lazy import np

ItemLike = str | Item | Mapping[str, object]
"""One thing to encode: a text, an ``Item``, or a mapping with an item's fields."""

MAX_ITEMS = 128
"""Items in one request, unless the caller says otherwise."""

MAX_BYTES = 512 * 1024
"""Bytes of text in one request; one item larger than this goes alone."""

_FIELDS = Item.__struct_fields__
_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """The items of one request, and the index of the first among all of the call."""

    start: int
    items: list[Item]

    def call(self, template: EncodeCall) -> EncodeCall:
        """The request: what ``template`` asks for, for these items."""
        return msgspec.structs.replace(template, items=[_sendable(item) for item in self.items])


class Packer:
    """Cuts a run of items into chunks, in order, each under the limits."""

    def __init__(self, batch_size: int | None = None, max_bytes: int = MAX_BYTES) -> None:
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
        item, size = checked(value, self._start + len(self._items))
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
        chunk = Chunk(self._start, self._items)
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


def sorted_out(given: Any, streams: tuple[type, ...]) -> One | Many | Stream:
    """Tell one item, a collection and a stream apart.

    Args:
        given: What the caller wants encoded.
        streams: What the client can read item by item.

    Raises:
        InvalidInput: It is none of these, or a collection without a stated order.
    """
    if isinstance(given, np.ndarray):
        given = given.tolist()  # NumPy texts become str, a single one becomes one item
    if isinstance(given, str | Item | Mapping):
        return One(given)
    if isinstance(given, set | frozenset):
        raise _refused("a set has no order to give the vectors in", "give a list")
    if hasattr(given, "columns"):
        raise _refused("a table is not a list of texts", "give one of its columns")
    if isinstance(given, bytes | bytearray | memoryview):
        raise _refused("bytes are not text", "decode them to str first")
    if isinstance(given, Collection):
        return Many(given)
    if isinstance(given, streams):
        return Stream(given)
    if isinstance(given, AsyncIterable):
        raise _refused("this client reads no asynchronous iterable", "use stelae.AsyncClient")
    raise _refused(f"{type(given).__name__} is not an item or several", _EXPECTED)


def checked(value: object, index: int) -> tuple[Item, int]:
    """The item that a value means, and its size in bytes.

    Args:
        value: A text, an ``Item``, or a mapping with an item's fields.
        index: Where it stands among the caller's items; named in errors.

    Raises:
        InvalidInput: The value is none of these, or cannot be sent.
    """
    item = _item_of(value, index)
    if (item.text is None) == (item.token_ids is None):
        raise _wrong(index, "needs either 'text' or 'token_ids'")
    if item.text is not None:
        return item, text_size(item.text, f"items[{index}]", index)
    return item, _ID_BYTES * len(item.token_ids or ())


def text_size(text: str, name: str, index: int | None = None) -> int:
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
            f"{name}: character {error.start} is a lone surrogate "
            f"(U+{ord(text[error.start]):04X}), which is not text",
            param=name,
            hint="clean it with text.encode('utf-8', 'replace').decode()",
            details={} if index is None else {"index": index},
        ) from error


def _item_of(value: object, index: int) -> Item:
    match value:
        case str():
            return Item(text=_plain(value))
        case Item() if _is_plain(value):
            return value
        case Item():
            return _from_fields({name: getattr(value, name) for name in _FIELDS}, index)
        case Mapping():
            return _from_fields(value, index)
        case bytes() | bytearray():
            raise _wrong(index, "is bytes; decode it to str first")
        case int() | np.integer():
            raise _wrong(index, "is a number; token ids of a text go in {'token_ids': [...]}")
        case _:
            raise _wrong(index, f"is of type {type(value).__name__}; {_EXPECTED}")


_EXPECTED = "give a str, a stelae.Item or a dict with 'text' or 'token_ids'"


def _is_plain(item: Item) -> bool:
    return type(item.text) is str and item.token_ids is None and item.id is None


def _plain(text: str) -> str:
    # A subclass (numpy.str_, an enum) is turned into the text it is.
    return text if type(text) is str else str.__str__(text)


def _from_fields(fields: Mapping[Any, Any], index: int) -> Item:
    if unknown := [name for name in fields if name not in _FIELDS]:
        raise _wrong(index, f"has the unknown key {unknown[0]!r}; keys are {', '.join(_FIELDS)}")
    text, name, metadata = fields.get("text"), fields.get("id"), fields.get("metadata")
    if text is not None and not isinstance(text, str):
        raise _wrong(index, f"has a 'text' of type {type(text).__name__}; give a str")
    if name is not None and not isinstance(name, str):
        raise _wrong(index, f"has an 'id' of type {type(name).__name__}; give a str")
    if metadata is not None and not isinstance(metadata, dict):
        raise _wrong(index, f"has a 'metadata' of type {type(metadata).__name__}; give a dict")
    return Item(
        text=None if text is None else _plain(text),
        token_ids=_token_ids(fields.get("token_ids"), index),
        id=name,
        metadata=metadata,
    )


def _token_ids(value: Any, index: int) -> list[int] | None:
    if value is None:
        return None
    ids = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(ids, list | tuple) and all(type(token) is int and token >= 0 for token in ids):
        return list(ids)
    raise _wrong(index, "has 'token_ids' that are not a list of whole numbers >= 0")


def _sendable(item: Item) -> Item:
    if item.id is None and item.metadata is None:
        return item
    return Item(text=item.text, token_ids=item.token_ids)


def _wrong(index: int, fault: str) -> InvalidInput:
    return InvalidInput(f"items[{index}] {fault}", param="items", details={"index": index})


def _refused(fault: str, hint: str) -> InvalidInput:
    return InvalidInput(f"items: {fault}", param="items", hint=hint)
