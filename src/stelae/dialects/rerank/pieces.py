"""Texts and pictures as these protocols write them, as items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stelae.dialects.items import told_item
from stelae.dialects.rerank.schema import Piece
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import Item

TEXT = ("text",)
"""Fields of a document that are read unless the caller names others."""


async def items_of(
    given: Sequence[Piece], name: str, fetcher: Fetcher, fields: Sequence[str] = ()
) -> list[Item]:
    """Texts and pictures in order.

    Args:
        given: What was sent.
        name: The field that it was sent in, for errors.
        fetcher: Fetches pictures that stand elsewhere, if it may.
        fields: Those of objects that are read as text; else an object tells one item.

    Raises:
        InvalidInput: One is neither a text nor a picture.
    """
    return [
        Item(text=piece)
        if isinstance(piece, str)
        else await item_of(piece, f"{name}[{index}]", fetcher, fields)
        for index, piece in enumerate(given)
    ]


async def item_of(piece: Piece, place: str, fetcher: Fetcher, fields: Sequence[str] = ()) -> Item:
    """A text or a picture.

    Raises:
        InvalidInput: It is neither.
    """
    if isinstance(piece, str):
        return Item(text=piece)
    if not fields:
        return await told_item(piece, fetcher, place)
    if (text := text_of(piece, fields)) is None:
        raise InvalidInput(f"{place} has none of the fields {', '.join(fields)}", param=place)
    return Item(text=text)


def text_of(piece: Mapping[str, Any], fields: Sequence[str] = TEXT) -> str | None:
    """The text of an object: its fields in order, a line each; none if it has none of them."""
    found = [piece[field] for field in fields if piece.get(field) is not None]
    return "\n".join(map(_written, found)) if found else None


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
