"""What can be said of a call without knowing the model."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from msgspec.structs import replace

from stelae.errors import InvalidInput
from stelae.types import EncodeCall, ExtractCall, Item, OutputType, ScoreCall

ROW_BYTES = 4096
"""Assumed size of one item's vector or terms."""

TOKEN_BYTES = 512
"""Assumed size of one token's vector, where those are asked for."""

SCORE_BYTES = 64
"""Assumed size of one document's score."""

_HELD = 3
"""Copies of an item that are held at once: as it came, as sent on, as decoded."""

_TEXT_BYTES_PER_TOKEN = 4
_MOST_TOKENS = 8192
_EXPECTED = {
    "text": "a str was expected",
    "token_ids": "a list of int was expected",
    "image": "bytes were expected",
    "pixels": "an array of numbers was expected",
    "multivector": "a matrix of numbers was expected",
}

AnyCall = TypeVar("AnyCall", EncodeCall, ScoreCall, ExtractCall)


def check_encode(call: EncodeCall) -> int:
    """Refuse a call that no model can answer; type errors of embedded callers included.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, with the item's position.
    """
    if not call.items:
        raise InvalidInput("items is empty: give at least one text", param="items")
    sizes = [_size(item, "items", index) for index, item in enumerate(call.items)]
    answers = len(sizes) * ROW_BYTES
    if OutputType.MULTIVECTOR in call.kinds:
        answers += sum(TOKEN_BYTES * _tokens(size) for size in sizes)
    return answers + _HELD * sum(sizes)


def check_score(call: ScoreCall) -> int:
    """Refuse a call that no model can answer; type errors of embedded callers included.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, with the document's position.
    """
    if not call.documents:
        raise InvalidInput("documents is empty: give at least one", param="documents")
    query = _size(call.query, "query", None)
    sizes = [_size(item, "documents", index) for index, item in enumerate(call.documents)]
    return SCORE_BYTES * len(sizes) + _HELD * (query + sum(sizes))


def check_extract(call: ExtractCall) -> int:
    """Refuse a call that no model can answer; type errors of embedded callers included.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, with the item's position.
    """
    if not call.items:
        raise InvalidInput("items is empty: give at least one", param="items")
    if call.threshold is not None and not 0 <= call.threshold <= 1:
        raise InvalidInput(f"threshold={call.threshold}: 0 to 1 was expected", param="threshold")
    for name in ("labels", "relations"):
        _check_labels(name, getattr(call, name))
    sizes = [_size(item, "items", index) for index, item in enumerate(call.items)]
    return ROW_BYTES * len(sizes) + _HELD * sum(sizes)


def _check_labels(name: str, labels: tuple[str, ...]) -> None:
    if not all(type(label) is str and label.strip() for label in labels):
        raise InvalidInput(f"{name}: every label must be a text with letters", param=name)
    if len(set(labels)) < len(labels):
        raise InvalidInput(f"{name}: a label stands there twice", param=name)


def _tokens(size: int) -> int:
    return min(_MOST_TOKENS, 1 + size // _TEXT_BYTES_PER_TOKEN)


def _size(item: Item, name: str, index: int | None) -> int:
    """Bytes of an item, which must be one: about as many as it has letters, for a text."""
    if type(item) is not Item:
        raise _wrong(name, index, "", f"is a {type(item).__name__}, an Item was expected")
    given = [form for form in _EXPECTED if getattr(item, form) is not None]
    if len(given) != 1:
        raise _wrong(name, index, "", f"needs exactly one of {', '.join(_EXPECTED)}")
    value = getattr(item, given[0])
    match given[0], value:
        case "text", str() if type(value) is str:
            return len(value)
        case "token_ids", list() if all(type(i) is int for i in value):
            return 8 * len(value)
        case "image", bytes():
            return len(value)
        case "pixels", np.ndarray() if value.dtype.kind in "biuf":
            return int(value.nbytes)
        case "multivector", np.ndarray() if value.dtype.kind in "iuf" and value.ndim == 2:
            return int(value.nbytes)
    raise _wrong(name, index, f".{given[0]}", f"is a {type(value).__name__}, {_EXPECTED[given[0]]}")


def _wrong(name: str, index: int | None, field: str, fault: str) -> InvalidInput:
    place = name if index is None else f"{name}[{index}]"
    return InvalidInput(f"{place}{field} {fault}", param=place)


def bare(call: AnyCall, model: str) -> AnyCall:
    """The call as workers need it: the model's own name, nothing of the caller's notes."""
    if isinstance(call, ScoreCall):
        given = [call.query, *call.documents]
        items = _bare(given)
        if items is given and model == call.model and call.gpu is None:
            return call
        return replace(call, model=model, gpu=None, query=items[0], documents=items[1:])
    items = _bare(call.items)
    if items is call.items and model == call.model and call.gpu is None:
        return call
    return replace(call, model=model, gpu=None, items=items)


def _bare(items: list[Item]) -> list[Item]:
    if not any(i.id is not None or i.metadata is not None for i in items):
        return items
    return [replace(item, id=None, metadata=None) for item in items]
