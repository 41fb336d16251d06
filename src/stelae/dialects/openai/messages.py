"""Conversations, as requests for chats tell them, to those of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from stelae.dialects.openai.chat_schema import ChatMessage, Function, ImageUrl, Part
from stelae.dialects.writing import made_arguments
from stelae.errors import InvalidInput
from stelae.types import ImagePart, Message, ReasoningPart, Speaker, TextPart, ToolUse
from stelae.types import Part as Said

See = Callable[[str, str], Awaitable[bytes]]
"""Gets the picture of an address; the second text says where that stands."""

PICTURES = 64
"""Most pictures of one conversation."""

FUNCTION = "function"
"""The role, in older conversations, of what answers a call."""


async def messages(given: list[ChatMessage], see: See) -> list[Message]:
    """The messages of a conversation.

    Raises:
        InvalidInput: One of them is none, or shows what cannot be seen.
    """
    kinds = [part.type for message in given for part in _parts(message)]
    if (count := kinds.count("image_url")) > PICTURES:
        raise InvalidInput(
            f"messages show {count} pictures, at most {PICTURES} are taken", param="messages"
        )
    reader = _Reader(see)
    return [await reader.read(m, f"messages[{i}]") for i, m in enumerate(given)]


def _parts(message: ChatMessage) -> Iterable[Part]:
    return message.content if isinstance(message.content, list) else ()


class _Reader:
    """Reads one conversation.

    Args:
        see: Gets pictures.
    """

    def __init__(self, see: See) -> None:
        self._see = see
        self._functions: dict[str, str] = {}

    async def read(self, message: ChatMessage, place: str) -> Message:
        """One message."""
        calls = [
            ToolUse(
                id=call.id,
                name=call.function.name,
                arguments=made_arguments(call.function.arguments or ""),
            )
            for call in message.tool_calls or []
        ]
        if message.function_call is not None:
            calls.append(self._function(message.function_call))
        said = await self._content(message, place)
        if not said and not calls and message.content is None:
            raise InvalidInput(f"{place}.content is missing", param=f"{place}.content")
        answers = message.tool_call_id
        if message.role == FUNCTION:
            answers = self._functions.get(message.name or "")
        return Message(
            role=speaker(message.role, f"{place}.role"),
            content=said,
            name=message.name,
            tool_calls=calls,
            tool_call_id=answers,
        )

    def _function(self, call: Function) -> ToolUse:
        """A call in the older form, which has no name of its own: its answer names the tool."""
        name = self._functions[call.name] = f"{FUNCTION}_{len(self._functions)}_{call.name}"
        told = made_arguments(call.arguments or "")
        return ToolUse(id=name, name=call.name, arguments=told)

    async def _content(self, message: ChatMessage, place: str) -> list[Said]:
        thought: list[Said] = []
        if message.reasoning_content and message.role == Speaker.ASSISTANT:
            thought.append(ReasoningPart(text=message.reasoning_content))
        if isinstance(message.content, str):
            return [*thought, TextPart(text=message.content)]
        parts = enumerate(_parts(message))
        return thought + [await self._part(p, f"{place}.content[{i}]") for i, p in parts]

    async def _part(self, part: Part, place: str) -> Said:
        if part.type == "text" and part.text is not None:
            return TextPart(text=part.text)
        if part.type == "image_url" and part.image_url is not None:
            where = part.image_url
            address = where.url if isinstance(where, ImageUrl) else where
            return ImagePart(image=await self._see(address, f"{place}.image_url"))
        if part.type in ("text", "image_url"):
            raise InvalidInput(f"{place}.{part.type} is missing", param=f"{place}.{part.type}")
        raise InvalidInput(
            f"{place} is of type {part.type[:32]!r}; models here read 'text' and 'image_url'",
            param=place,
        )


def speaker(role: str, place: str) -> Speaker:
    """Who says a message.

    Raises:
        InvalidInput: Nobody who is known.
    """
    if role == FUNCTION:
        return Speaker.TOOL
    try:
        return Speaker(role)
    except ValueError as error:
        raise InvalidInput(
            f"{place}={role[:32]!r}: {', '.join(map(repr, map(str, Speaker)))} are known",
            param=place,
        ) from error
