"""Conversations with tools, put so that a chat template shows them.

Templates differ in what they know: some know no tools at all, some take arguments as text,
some refuse names of calls that are not of nine letters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from stelae.engines.chat.formats.examples import example, written_calls
from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import dumped
from stelae.types import ChatCall, Message, Speaker, TextPart

NINE = re.compile(r"\|\s*length\s*(?:!=|==|<)\s*9\b")
"""How templates of Mistral look at the names of calls."""

SHORT = 9

SYSTEM = (Speaker.SYSTEM, Speaker.DEVELOPER)

TOLD = """\
You can call tools. Each line is one of them, with its name, what it does and the JSON Schema of \
its arguments:

{tools}

To call a tool, write this and nothing after it, with the tool's name for NAME and its arguments:

{example}

{result}Answer in words where no tool is needed."""

RESULT = "The result comes in the next message, between <tool_response> and </tool_response>. "


def tell(call: ChatCall, format: Format, *, shows_calls: bool, heeds_system: bool) -> list[Message]:
    """The messages of a call, with its tools, their calls and their results in words.

    Args:
        call: It has tools.
        format: How calls are written.
        shows_calls: Whether the template itself shows calls and results.
        heeds_system: Whether there may be a message of the system; else the tools are told
            of in the first message.
    """
    tools = "\n".join(msgspec.json.encode(tool["function"]).decode() for tool in call.tools)
    result = "" if shows_calls else RESULT
    told = TOLD.format(tools=tools, example=example(format), result=result)
    messages = call.messages
    if not shows_calls:
        messages = _answered([_said(message, format) for message in messages])
    first = messages[0]
    if first.role in SYSTEM:
        return [_with(first, f"{first.text}\n\n{told}"), *messages[1:]]
    if heeds_system:
        return [Message(role=Speaker.SYSTEM, content=[TextPart(text=told)]), *messages]
    before = TextPart(text=f"{told}\n\n")
    return [replace(first, content=[before, *first.content]), *messages[1:]]


def _said(message: Message, format: Format) -> Message:
    """A message with its calls, or the result that it is, in words."""
    if message.role is Speaker.TOOL:
        text = f"<tool_response>\n{message.text}\n</tool_response>"
        return Message(role=Speaker.USER, content=[TextPart(text=text)])
    if not message.tool_calls:
        return message
    calls = written_calls(format, [(use.name, use.arguments) for use in message.tool_calls])
    text = f"{message.text}\n{calls}" if message.text else calls
    return replace(_with(message, text), tool_calls=[])


def _with(message: Message, text: str) -> Message:
    """A message with another text; what else it holds stays."""
    others = [part for part in message.content if not isinstance(part, TextPart)]
    return replace(message, content=[*others, TextPart(text=text)])


def _answered(messages: Sequence[Message]) -> list[Message]:
    """Messages of a user that follow one another as one, as many templates want it."""
    made: list[Message] = []
    for message in messages:
        if made and message.role is Speaker.USER and made[-1].role is Speaker.USER:
            gap = TextPart(text="\n")
            made[-1] = replace(made[-1], content=[*made[-1].content, gap, *message.content])
        else:
            made.append(message)
    return made


def wants_short_ids(template: str) -> bool:
    """Whether a template refuses names of calls that are not of nine letters."""
    return NINE.search(template) is not None


def short_ids(messages: list[dict[str, Any]]) -> None:
    """Give calls names of nine letters, the same for the same."""
    for message in messages:
        for use in message.get("tool_calls", ()):
            use["id"] = _short(use["id"])
        if "tool_call_id" in message:
            message["tool_call_id"] = _short(message["tool_call_id"])


def _short(name: str) -> str:
    if len(name) == SHORT and name.isascii() and name.isalnum():
        return name
    return hashlib.sha256(name.encode()).hexdigest()[:SHORT]


def as_texts(messages: list[dict[str, Any]]) -> bool:
    """Put arguments into texts, as some templates take them; whether there were any."""
    uses = [use["function"] for message in messages for use in message.get("tool_calls", ())]
    for use in uses:
        use["arguments"] = dumped(use["arguments"])
    return bool(uses)
