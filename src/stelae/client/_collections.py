"""Collections as callers write and read them: pure, shared by both clients."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from stelae.client._items import Chunk, sendable
from stelae.client._pictures import Deferred
from stelae.client._place import Place
from stelae.errors import ErrorInfo, InvalidInput, from_info
from stelae.types import (
    CollectionInfo,
    Document,
    Hit,
    IndexCall,
    IndexResult,
    Item,
    SearchCall,
    SearchResult,
)


class CollectionList(msgspec.Struct, frozen=True):
    """What the server answers when it is asked for all collections."""

    collections: list[CollectionInfo]


class DocumentList(msgspec.Struct, frozen=True):
    """What the server answers when it is asked for documents."""

    documents: list[Document]


class Updated(msgspec.Struct, frozen=True):
    """Of each document, whether it is there."""

    updated: list[bool]


class Deleted(msgspec.Struct, frozen=True):
    """How many documents were forgotten."""

    deleted: int


@dataclass(slots=True)
class Indexed:
    """What a collection took.

    Attributes:
        ids: Names of the items, in order, those made up included.
        size: Documents in the collection afterwards.
        tokens: Tokens run.
        truncated: Indices of the items that were cut.
        errors: What went wrong, by index; such items are not kept.
    """

    ids: list[str] = field(default_factory=list)
    size: int = 0
    tokens: int = 0
    truncated: list[int] = field(default_factory=list)
    errors: dict[int, ErrorInfo] = field(default_factory=dict)

    def add(self, chunk: Chunk, result: IndexResult, *, raises: bool) -> None:
        """Take the next result in.

        Raises:
            StelaeError: Of the first item that failed, if failures end the call.
        """
        for index in sorted(result.errors):
            info = result.errors[index]
            if raises:
                details = info.details | {"index": chunk.start + index}
                raise from_info(msgspec.structs.replace(info, details=details))
            self.errors[chunk.start + index] = info
        self.ids += result.ids
        self.size, self.tokens = result.size, self.tokens + result.usage.tokens
        self.truncated += [chunk.start + i for i, cut in enumerate(result.truncated) if cut]


def index_call(chunk: Chunk, template: IndexCall) -> IndexCall:
    """The request for a chunk: items with names, and what callers noted on them as tags.

    Items without an id get one here and not by the server, so that a request that is sent
    again keeps nothing twice.

    Raises:
        InvalidInput: A picture cannot be read, or a note is no JSON value.
    """
    places = [Place(chunk.name, chunk.start + index) for index in range(len(chunk.items))]
    sent = [
        msgspec.structs.replace(sendable(item, place), id=item.id or secrets.token_hex(16))
        for item, place in zip(chunk.items, places, strict=True)
    ]
    tags = [_tags(item, place) for item, place in zip(chunk.items, places, strict=True)]
    return msgspec.structs.replace(
        template, items=sent, tags=tags if any(tags) else None, uris=_uris(chunk.items)
    )


def search_call(chunk: Chunk, template: SearchCall) -> SearchCall:
    """The request for the queries of a chunk.

    Raises:
        InvalidInput: A picture cannot be read.
    """
    places = [Place("queries", chunk.start + index) for index in range(len(chunk.items))]
    sent = [sendable(item, place) for item, place in zip(chunk.items, places, strict=True)]
    return msgspec.structs.replace(template, items=sent)


def found(chunk: Chunk, result: SearchResult, *, raises: bool) -> list[list[Hit]]:
    """The hits of each query of a chunk.

    Raises:
        StelaeError: Of the first query that failed, if failures end the call.
    """
    for index in sorted(result.errors):
        if raises:
            info = result.errors[index]
            details = info.details | {"index": chunk.start + index}
            raise from_info(msgspec.structs.replace(info, details=details))
    return result.hits


def path(name: str, verb: str = "") -> str:
    """Where a collection is found.

    Raises:
        InvalidInput: No name was given.
    """
    if not isinstance(name, str) or not name.strip("/. "):
        raise InvalidInput(f"name={name!r}: give the name of a collection", param="name")
    return f"collections/{quote(name, safe='')}{'/' + verb if verb else ''}"


def _tags(item: Item, place: Place) -> dict[str, Any]:
    try:
        msgspec.json.encode(item.metadata)
    except (TypeError, ValueError) as error:
        raise place.wrong(f"has 'metadata' that is no JSON: {error}") from error
    return item.metadata or {}


def _uris(items: Sequence[Item]) -> list[str | None] | None:
    """Paths of the pictures that come from files."""
    sources = [item.source if isinstance(item, Deferred) else None for item in items]
    uris = [os.fspath(source) if isinstance(source, os.PathLike) else None for source in sources]
    return uris if any(uris) else None
