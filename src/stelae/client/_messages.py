"""Messages as callers have them, and as they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stelae.client._pictures import file_of, is_picture
from stelae.client._place import Place
from stelae.errors import InvalidInput
from stelae.types import ImagePart, Message, Part, ReasoningPart, Speaker, TextPart, ToolUse

MessageLike = Message | Mapping[str, Any]
"""A message, or a dict with its fields; ``content`` may be a text, a picture, or a list of both."""

PARTS = TextPart | ImagePart | ReasoningPart


def message_of(message: MessageLike, index: int) -> Any:
    """A message as it is sent; its fields are checked with the call.

    Raises:
        InvalidInput: It is none, or a part of it is none.
    """
    if isinstance(message, Message):
        return message
    place = Place("messages", index)
    if not isinstance(message, Mapping):
        raise place.wrong(f"is a {type(message).__name__}; a dict or a Message was expected")
    made = dict(message)
    if "content" in made:
        made["content"] = _parts(made["content"], place)
    return made


def _parts(content: Any, place: Place) -> list[Any]:
    if content is None:
        return []
    listed = content if isinstance(content, list | tuple) else [content]
    return [_part(part, place) for part in listed]


def _part(part: Any, place: Place) -> Any:
    if isinstance(part, PARTS | Mapping):
        return part
    if is_picture(part):
        return ImagePart(image=file_of(part, place))
    if isinstance(part, str):
        return TextPart(text=part)
    raise place.wrong(
        f"has a {type(part).__name__} in its content; texts and pictures were expected"
    )


def tool_result(call: ToolUse, content: Any) -> Message:
    """The message that answers a call of a tool.

    Args:
        call: The call, as in ``Reply.tool_calls``.
        content: What the tool says: a text, or anything that can be written as JSON.

    Raises:
        InvalidInput: It can not.
    """
    said = content if isinstance(content, str) else _json(content)
    parts: list[Part] = [TextPart(text=said)]
    return Message(role=Speaker.TOOL, content=parts, name=call.name, tool_call_id=call.id)


def _json(content: Any) -> str:
    try:
        return msgspec.json.encode(content).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"content: a text, or what can be written as JSON, was expected: {error}",
            param="content",
        ) from error
