"""What can be said of a call without knowing the model."""

from __future__ import annotations

from msgspec.structs import replace

from stelae.errors import InvalidInput
from stelae.types import EncodeCall, Item

ROW_BYTES = 4096
"""Assumed size of one item's answer."""

_HELD = 3
"""Copies of a text that are held at once: as it came, as sent on, as decoded."""


def check_encode(call: EncodeCall) -> int:
    """Refuse a call that no model can answer; type errors of embedded callers included.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, with the item's position.
    """
    if not call.items:
        raise InvalidInput("items is empty: give at least one text", param="items")
    return sum(_check_item(index, item) for index, item in enumerate(call.items))


def _check_item(index: int, item: Item) -> int:
    if type(item) is not Item:
        raise _wrong(f"items[{index}] is a {type(item).__name__}, an Item was expected", index)
    if type(item.text) is str and item.token_ids is None:
        return ROW_BYTES + _HELD * len(item.text)
    if item.text is not None and type(item.text) is not str:
        raise _wrong(f"items[{index}].text is a {type(item.text).__name__}, not a str", index)
    if (item.text is None) == (item.token_ids is None):
        raise _wrong(f"items[{index}] needs either text or token_ids", index)
    ids = item.token_ids
    if type(ids) is not list or not all(type(i) is int for i in ids):
        raise _wrong(f"items[{index}].token_ids is not a list of int", index)
    return ROW_BYTES + 8 * len(ids)


def _wrong(message: str, index: int) -> InvalidInput:
    return InvalidInput(message, param=f"items[{index}]")


def bare(call: EncodeCall, model: str) -> EncodeCall:
    """The call as workers need it: the model's own name, nothing of the caller's notes."""
    items = call.items
    if any(i.id is not None or i.metadata is not None for i in items):
        items = [Item(text=i.text, token_ids=i.token_ids) for i in items]
    if items is call.items and model == call.model:
        return call
    return replace(call, model=model, items=items)
