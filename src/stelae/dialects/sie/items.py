"""Items of the SDK to items of the house."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Collection
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stelae.dialects.sie.schema import ItemIn, Unread
from stelae.errors import InvalidInput
from stelae.service.checks import refuse_codes
from stelae.types import Item, Modality
from stelae.wire.sie.arrays import read

NULL = (b"null", b"\xc0")
"""Null, in JSON and in msgpack."""

UNREAD = ("audio", "document", "video")
"""Kinds of input that no model here reads yet."""


def item_of(sent: ItemIn, inputs: Collection[Modality], place: str, *, given: bool = False) -> Item:
    """One item; of a text and a picture, the picture if the model reads pictures.

    Args:
        sent: As it came.
        inputs: What the model reads; empty if that is not known yet.
        place: Where it stands in the request, for messages.
        given: Whether token vectors that were made before count; they do for scores.

    Raises:
        InvalidInput: It has nothing that the model reads, or cannot be read.
    """
    if given and sent.multivector is not None:
        return Item(id=sent.id, multivector=_matrix(sent.multivector, place))
    seen = bool(sent.images) and (not inputs or Modality.IMAGE in inputs)
    if sent.images and (seen or sent.text is None):
        return Item(id=sent.id, image=_picture(sent, place))
    if sent.text is not None:
        return Item(id=sent.id, text=sent.text)
    other = [name for name in UNREAD if _is_given(getattr(sent, name))]
    has = f"has {' and '.join(other)}, which no model here reads" if other else "has nothing"
    if sent.multivector is not None:
        has = "has token vectors, which only score reads"
    raise InvalidInput(
        f"{place} {has}; give {' or '.join(inputs) or 'text or images'}", param=place
    )


def _is_given(part: Unread) -> bool:
    return isinstance(part, msgspec.Raw) and bytes(part) not in NULL


def _picture(given: ItemIn, place: str) -> bytes:
    images = given.images or []
    if len(images) > 1:
        raise InvalidInput(
            f"{place}.images: {len(images)} pictures were given; a model reads one in each item",
            param=f"{place}.images",
        )
    return raw(images[0].data, f"{place}.images[0].data")


def raw(value: Any, place: str) -> bytes:
    """Bytes as they came, or from base64 or a data URI in JSON.

    Raises:
        InvalidInput: They are neither.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise InvalidInput(
            f"{place} is a {type(value).__name__}; bytes were expected, in JSON base64",
            param=place,
        )
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError) as error:
        raise InvalidInput(f"{place} is not base64: {error}", param=place) from error


def _matrix(value: Any, place: str) -> NDArray[Any]:
    place = f"{place}.multivector"
    try:
        array = read(value)
    except ValueError as error:
        raise InvalidInput(f"{place}: {error}", param=place) from error
    if array.ndim != 2:
        raise InvalidInput(
            f"{place} has {array.ndim} dimensions; a matrix of a row per token was expected",
            param=place,
        )
    refuse_codes(array, place)
    return np.asarray(array, np.float32)
