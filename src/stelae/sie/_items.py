"""Items of the SDK to ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stelae.errors import InvalidInput
from stelae.types import Item, Modality, PoolSpec
from stelae.wire.sie.options import Options
from stelae.wire.sie.verbs import filled, instruction_of, template_of

UNREAD = ("audio", "document", "video")
"""Kinds of input that no model here reads yet."""


def several(items: Any) -> tuple[list[Any], bool]:
    """The items as a list, and whether one was given alone."""
    if isinstance(items, Mapping):
        return [items], True
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise InvalidInput(f"items: an Item or a list of them was expected, not {items!r:.80}")
    return list(items), False


def pool_spec(given: Mapping[str, Any]) -> PoolSpec:
    """Our pool, of the SDK's.

    Raises:
        InvalidInput: A part of it is of the wrong type.
    """
    try:
        return msgspec.convert({k: v for k, v in given.items() if v is not None}, PoolSpec)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"an argument of create_pool is wrong: {error}") from error


def is_open(item: Any) -> bool:
    """Whether it depends on the model which part of an item counts."""
    return isinstance(item, Mapping) and bool(item.get("images")) and item.get("text") is not None


def ours(
    item: Any, place: str = "items", inputs: Collection[str] = (), *, given: bool = False
) -> dict[str, Any]:
    """The fields of our item; of a text and a picture, the picture if the model reads pictures.

    Args:
        item: As the caller has it.
        place: Where it stands in the call, for messages.
        inputs: What the model reads; empty if that makes no difference.
        given: Whether token vectors that were made before count; they do for scores.

    Raises:
        InvalidInput: It is no item, or has nothing that a model reads.
    """
    if not isinstance(item, Mapping):
        raise InvalidInput(f"{place}: an Item was expected, not a {type(item).__name__}")
    fields: dict[str, Any] = {"id": item["id"]} if item.get("id") is not None else {}
    text, many = item.get("text"), item.get("multivector")
    if given and many is not None:
        return {**fields, "multivector": many}
    images = item.get("images")
    if images and (text is None or not inputs or Modality.IMAGE in inputs):
        return {**fields, "image": picture(images, place)}
    if text is not None:
        return {**fields, "text": text}
    raise InvalidInput(f"{place} {_has(item)}; give text or images", param=place)


def _has(item: Mapping[str, Any]) -> str:
    if item.get("multivector") is not None:
        return "has token vectors, which only score reads"
    other = [name for name in UNREAD if item.get(name) is not None]
    return f"has {' and '.join(other)}, which no model here reads" if other else "has nothing"


def picture(images: Any, place: str) -> Any:
    """The picture of an item: bytes, a path, a Pillow image or an array.

    Raises:
        InvalidInput: There are several.
    """
    if len(images) > 1:
        raise InvalidInput(
            f"{place}.images: {len(images)} pictures were given; a model reads one in each item",
            param=place,
        )
    image = images[0]
    data = image.get("data") if isinstance(image, Mapping) else image
    return Path(data) if isinstance(data, str) else data


def in_template(item: dict[str, Any], options: Options, instruction: str | None) -> dict[str, Any]:
    """The item with its text in the template of the call, if it has one."""
    template = template_of(options)
    if template is None or "text" not in item:
        return item
    return {**item, "text": filled(template, item["text"], instruction_of(options, instruction))}


def bare(item: dict[str, Any]) -> Item | dict[str, Any]:
    """The item without the caller's name for it."""
    return {name: value for name, value in item.items() if name != "id"}
