"""The steps of a conversation, as OpenAI's responses tell them, to messages of the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stelae.dialects.openai.messages import PICTURES, See, speaker
from stelae.dialects.openai.responses.schema import InputItem, InputPart
from stelae.dialects.writing import made_arguments
from stelae.errors import InvalidInput
from stelae.types import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Speaker,
    TextPart,
    ToolUse,
)

TEXTS = frozenset({"input_text", "output_text", "text", "reasoning_text", "summary_text"})
"""Kinds of parts that are text."""


LEADING = frozenset({Speaker.SYSTEM, Speaker.DEVELOPER})
"""Who tells the model what to do."""


async def messages(
    before: Sequence[InputItem], given: Sequence[InputItem], instructions: str | None, see: See
) -> list[Message]:
    """The whole conversation.

    Args:
        before: What was said and done before.
        given: What is asked now.
        instructions: What the model is told first.
        see: Gets pictures.

    Raises:
        InvalidInput: A step is none, or shows what cannot be seen.
    """
    items = [*before, *given]
    if (count := sum(map(_pictures, items))) > PICTURES:
        raise InvalidInput(
            f"the conversation shows {count} pictures, at most {PICTURES} are taken", param="input"
        )
    talk = _Talk(see)
    if instructions:
        talk.messages.append(Message(role=Speaker.SYSTEM, content=[TextPart(text=instructions)]))
    for index, item in enumerate(items, start=-len(before)):
        await talk.add(item, f"input[{index}]" if index >= 0 else "previous_response_id")
    return _led(talk.over())


def _led(said: list[Message]) -> list[Message]:
    """The same with one message at its head for all that leads it: many templates read one."""
    count = next((i for i, m in enumerate(said) if m.role not in LEADING), len(said))
    if count < 2:
        return said
    head = TextPart(text="\n\n".join(message.text for message in said[:count]))
    return [Message(role=Speaker.SYSTEM, content=[head]), *said[count:]]


def _pictures(item: InputItem) -> int:
    shown = [*_parts(item.content), *_parts(item.output)]
    return sum(part.type == "input_image" for part in shown)


def _parts(given: str | list[InputPart] | None) -> list[InputPart]:
    return given if isinstance(given, list) else []


@dataclass(slots=True)
class _Talk:
    """A conversation that is put together from steps: one turn of the assistant has several.

    Attributes:
        see: Gets pictures.
        messages: What is whole.
        thought: What the assistant thought, in the turn that goes on.
        said: What it said.
        calls: What it called.
    """

    see: See
    messages: list[Message] = field(default_factory=list)
    thought: list[Part] = field(default_factory=list)
    said: list[Part] = field(default_factory=list)
    calls: list[ToolUse] = field(default_factory=list)

    async def add(self, item: InputItem, place: str) -> None:
        """The next step."""
        match item.type:
            case "message" if item.role == Speaker.ASSISTANT:
                self._turn(bool(self.said or self.calls))
                self.said = await self._content(item, place)
            case "message":
                self._turn()
                role = speaker(item.role or "", f"{place}.role")
                self.messages.append(Message(role=role, content=await self._content(item, place)))
            case "reasoning":
                self._turn(bool(self.said or self.calls))
                self.thought += [
                    ReasoningPart(text=part.text or "") for part in _parts(item.content)
                ]
            case "function_call":
                self.calls.append(_use(item, place))
            case "function_call_output":
                self._turn()
                self.messages.append(await self._answer(item, place))
            case _:
                raise InvalidInput(
                    f"{place} is of type {item.type[:32]!r}; 'message', 'function_call', "
                    "'function_call_output' and 'reasoning' are read",
                    param=place,
                )

    def over(self) -> list[Message]:
        """The conversation."""
        self._turn()
        return self.messages

    def _turn(self, over: bool = True) -> None:
        """Close the turn of the assistant, if it is over and there was one."""
        if over and (self.said or self.calls):
            content = [*self.thought, *self.said]
            made = Message(role=Speaker.ASSISTANT, content=content, tool_calls=self.calls)
            self.messages.append(made)
        if over:
            self.thought, self.said, self.calls = [], [], []

    async def _answer(self, item: InputItem, place: str) -> Message:
        if item.call_id is None or item.output is None:
            missing = "call_id" if item.call_id is None else "output"
            raise InvalidInput(f"{place}.{missing} is missing", param=f"{place}.{missing}")
        content = await self._read(item.output, f"{place}.output")
        return Message(role=Speaker.TOOL, content=content, tool_call_id=item.call_id)

    async def _content(self, item: InputItem, place: str) -> list[Part]:
        if item.content is None:
            raise InvalidInput(f"{place}.content is missing", param=f"{place}.content")
        return await self._read(item.content, f"{place}.content")

    async def _read(self, given: str | list[InputPart], place: str) -> list[Part]:
        if isinstance(given, str):
            return [TextPart(text=given)]
        return [await self._part(part, f"{place}[{i}]") for i, part in enumerate(given)]

    async def _part(self, part: InputPart, place: str) -> Part:
        if part.type in TEXTS and part.text is not None:
            return TextPart(text=part.text)
        if part.type == "input_image" and part.image_url is not None:
            return ImagePart(image=await self.see(part.image_url, f"{place}.image_url"))
        if part.type in TEXTS:
            raise InvalidInput(f"{place}.text is missing", param=f"{place}.text")
        raise InvalidInput(
            f"{place} is of type {part.type[:32]!r}; 'input_text', 'output_text' and "
            "'input_image' with an image_url are read",
            param=place,
        )


def _use(item: InputItem, place: str) -> ToolUse:
    if item.call_id is None or item.name is None:
        missing = "call_id" if item.call_id is None else "name"
        raise InvalidInput(f"{place}.{missing} is missing", param=f"{place}.{missing}")
    told = made_arguments(item.arguments or "")
    return ToolUse(id=item.call_id, name=item.name, arguments=told)
