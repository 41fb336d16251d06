"""What can be said of a call without knowing the model."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, EncodeCall, ExtractCall, Item, OutputType, ScoreCall
from stelae.vectors import muvera

ROW_NUMBERS = 1024
"""Assumed width of one item's vector, and half the numbers of its terms."""

MOST_NUMBERS = 1 << 16
"""Wider vectors than these are asked for by mistake, and refused by who knows the model."""

ROW_BYTES = 4 * ROW_NUMBERS
"""Assumed size of one item's terms, or of what is found in it."""

TOKEN_NUMBERS = 128
"""Assumed width of one token's vector."""

SCORE_BYTES = 64
"""Assumed size of one document's score."""

_HELD = 3
"""Copies of an item that are held at once: as it came, as sent on, as decoded."""

_BITS = {
    EmbeddingDtype.FLOAT16: 16,
    EmbeddingDtype.INT8: 8,
    EmbeddingDtype.UINT8: 8,
    EmbeddingDtype.BINARY: 1,
    EmbeddingDtype.UBINARY: 1,
}
"""Bits of a number in each format that is not float32."""

_TEXT_BYTES_PER_TOKEN = 4
_MOST_TOKENS = 8192
_EXPECTED = {
    "text": "a str was expected",
    "token_ids": "a list of int was expected",
    "image": "bytes were expected",
    "pixels": "an array of numbers was expected",
    "audio": "bytes were expected",
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
    return _answer(call, sizes) + _HELD * sum(sizes)


def _answer(call: EncodeCall, sizes: list[int]) -> int:
    """Bytes of an answer, by what is asked for."""
    numbers, kinds = 0, call.kinds
    if OutputType.DENSE in kinds:
        numbers += len(sizes) * _width(call)
    if OutputType.MULTIVECTOR in kinds:
        numbers += TOKEN_NUMBERS * sum(map(_tokens, sizes))
    terms = len(sizes) * ROW_BYTES if OutputType.SPARSE in kinds else 0
    return numbers * _BITS.get(call.format, 32) // 8 + terms


def _width(call: EncodeCall) -> int:
    """Width of the dense vectors asked for; that of the model is not known here."""
    if call.muvera is None:
        return min(MOST_NUMBERS, max(1, call.dimensions or ROW_NUMBERS))
    muvera.check(call.muvera, 1)
    return muvera.width(call.muvera, TOKEN_NUMBERS)


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
    _check_plain("output_schema", call.output_schema)
    sizes = [_size(item, "items", index) for index, item in enumerate(call.items)]
    return ROW_BYTES * len(sizes) + _HELD * sum(sizes)


def _check_plain(name: str, value: object) -> None:
    """Refuse what JSON does not have."""
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON: {error}", param=name) from error


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
    if _is_text(item):
        return len(item.text or "")
    given = [form for form in _EXPECTED if getattr(item, form) is not None]
    if len(given) != 1:
        raise _wrong(name, index, "", f"needs exactly one of {', '.join(_EXPECTED)}")
    value = getattr(item, given[0])
    match given[0], value:
        case "token_ids", list() if all(type(i) is int for i in value):
            return 8 * len(value)
        case "image" | "audio", bytes():
            return len(value)
        case "pixels", np.ndarray() if value.dtype.kind in "biuf":
            return int(value.nbytes)
        case "multivector", np.ndarray() if value.dtype.kind in "iuf" and value.ndim == 2:
            refuse_codes(value, f"{_place(name, index)}.multivector")
            return int(value.nbytes)
    raise _wrong(name, index, f".{given[0]}", f"is a {type(value).__name__}, {_EXPECTED[given[0]]}")


def _is_text(item: Item) -> bool:
    """Whether an item is a text and nothing else, as most are: told in few steps."""
    return (
        type(item.text) is str
        and item.token_ids is None
        and item.image is None
        and item.pixels is None
        and item.audio is None
        and item.multivector is None
    )


def refuse_codes(vectors: NDArray[Any], place: str) -> None:
    """Refuse token vectors in a small format: each row has a scale, which is not there.

    Raises:
        InvalidInput: They are numbers of one byte.
    """
    if vectors.dtype.itemsize == 1:
        raise InvalidInput(
            f"{place} holds {vectors.dtype} codes, whose scale is lost; float32 or float16 was "
            "expected",
            param=place,
            hint="encode with output_dtype float32 or float16, or dequantize them first",
        )


def _place(name: str, index: int | None) -> str:
    return name if index is None else f"{name}[{index}]"


def _wrong(name: str, index: int | None, field: str, fault: str) -> InvalidInput:
    place = _place(name, index)
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
    for item in items:
        if item.id is not None or item.metadata is not None:
            return [replace(each, id=None, metadata=None) for each in items]
    return items
