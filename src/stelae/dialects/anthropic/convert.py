"""From Anthropic's requests to the calls of the house."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from stelae.dialects.anthropic.blocks import Placed, Reader, placed, plain, said
from stelae.dialects.anthropic.schema import Asked, Form, MessageRequest, Role, Said
from stelae.errors import InvalidInput, NotFound
from stelae.security.fetch import Fetcher
from stelae.types import (
    ChatCall,
    Message,
    NamedTool,
    Sampling,
    Speaker,
    Structure,
    TextPart,
    ToolChoice,
)

LEAST_BUDGET = 1024
"""Fewest tokens of thought that can be asked for."""

THINKS: dict[str, bool | None] = {
    "enabled": True,
    "disabled": False,
    "adaptive": None,
    "between_tools": None,
}
"""Whether the model thinks first; ``None`` as its template does."""

EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""How much templates are told to think."""

CHOICES: dict[str, ToolChoice] = {"auto": "auto", "any": "required", "none": "none"}

RESULT = "tool_result"
"""The type of a block with what a tool answered."""

BLOCKS = 20_000
"""Most blocks of one conversation."""

LEAST_P = 1e-9
"""Stands for a ``top_p`` of 0, which keeps one token."""


async def message_call(asked: MessageRequest, fetcher: Fetcher) -> ChatCall:
    """The call that a request for a message means.

    Args:
        asked: The request.
        fetcher: Gets pictures that stand elsewhere, if it may.

    Raises:
        InvalidInput: It is no call, or asks for what nobody would heed.
    """
    return await _call(asked, fetcher, sampling=_sampling(asked))


async def count_call(asked: Asked, fetcher: Fetcher) -> ChatCall:
    """The call that counts the tokens of a conversation.

    Raises:
        InvalidInput: As ``message_call``.
    """
    return await _call(asked, fetcher, count_only=True)


def shows_thought(asked: Asked) -> bool:
    """Whether blocks of thought are part of the answer: callers who ask for none expect none."""
    return asked.thinking is not None and THINKS.get(asked.thinking.type) is not False


async def _call(asked: Asked, fetcher: Fetcher, **more: Any) -> ChatCall:
    _check_thread(asked)
    _check_servers(asked)
    effort = asked.output_config and asked.output_config.effort
    choice = asked.tool_choice
    return ChatCall(
        model=asked.model,
        messages=await _messages(asked, Reader(fetcher)),
        tools=[_tool(tool, f"tools[{index}]") for index, tool in enumerate(asked.tools or [])],
        tool_choice=_choice(asked),
        parallel_tool_calls=not (choice and choice.disable_parallel_tool_use),
        structure=_structure(asked),
        reasoning=_reasoning(asked),
        template_options={"reasoning_effort": EFFORTS.get(effort, effort)} if effort else {},
        continues=_continues(asked),
        **more,
    )


def _check_thread(asked: Asked) -> None:
    """Refuse to go on with a thread, in a way that makes clients send the whole conversation."""
    if asked.thread is not None and asked.thread.type != "create":
        raise NotFound(
            "thread: conversations are not kept here; send the whole of it",
            param="thread",
            details={"error_code": "thread_not_found"},
        )


def _check_servers(asked: Asked) -> None:
    """Refuse what Anthropic's servers would do for the caller."""
    for name in ("mcp_servers", "container"):
        if getattr(asked, name):
            raise InvalidInput(f"{name} is not supported here; leave it out", param=name)


# -- the conversation ------------------------------------------------------------------------


async def _messages(asked: Asked, reader: Reader) -> list[Message]:
    made = list(_system(asked))
    known: set[str] = set()
    for role, blocks in _turns(asked):
        if role is Role.ASSISTANT:
            parts, calls = said(blocks)
            known.update(call.id for call in calls)
            made.append(Message(role=Speaker.ASSISTANT, content=parts, tool_calls=calls))
        else:
            made += await _heard(blocks, reader, known)
    if made and made[-1].tool_calls:
        raise InvalidInput(
            "messages: the last one calls tools; give their results (tool_result) after it",
            param="messages",
        )
    return made


def _system(asked: Asked) -> Iterator[Message]:
    """All system prompts as one message: the conversation's own, and those among its messages."""
    texts = [plain(asked.system or "", "system", "a system prompt")]
    texts += [
        plain(message.content, f"messages[{index}].content", "a system prompt")
        for index, message in enumerate(asked.messages)
        if message.role is Role.SYSTEM
    ]
    if whole := "\n".join(text for text in texts if text):
        yield Message(role=Speaker.SYSTEM, content=[TextPart(text=whole)])


def _turns(asked: Asked) -> Iterator[tuple[Role, list[Placed]]]:
    """Who speaks in turn, and all that is said before another does."""
    spoken = [
        (message.role, _blocks(message, f"messages[{index}].content"))
        for index, message in enumerate(asked.messages)
        if message.role is not Role.SYSTEM
    ]
    if not spoken:
        raise InvalidInput("messages is empty: give one of the user at least", param="messages")
    if (count := sum(len(blocks) for _, blocks in spoken)) > BLOCKS:
        raise InvalidInput(
            f"messages have {count} blocks, at most {BLOCKS} are taken", param="messages"
        )
    filled = [each for each in spoken if each[1]]
    for role, group in groupby(filled, key=lambda each: each[0]):
        yield role, [block for _, blocks in group for block in blocks]


def _blocks(message: Said, place: str) -> list[Placed]:
    found = placed(message.content, place)
    if not found and message.role is Role.USER:
        raise InvalidInput(f"{place} is empty", param=place)
    return found


async def _heard(blocks: list[Placed], reader: Reader, known: set[str]) -> list[Message]:
    """The results of tools, in order, then what the user says and shows."""
    results = [each for each in blocks if each[1].type == RESULT]
    others = [each for each in blocks if each[1].type != RESULT]
    made = []
    for place, block in results:
        if block.tool_use_id not in known:
            raise InvalidInput(
                f"{place} answers {str(block.tool_use_id)[:64]!r}, a call that nobody made before",
                param=f"{place}.tool_use_id",
            )
        content = await reader.result(block, place)
        made.append(Message(role=Speaker.TOOL, content=content, tool_call_id=block.tool_use_id))
    content = await reader.parts(others)
    return [*made, Message(role=Speaker.USER, content=content)] if content else made


def _continues(asked: Asked) -> bool:
    """Whether the last message, one of the assistant, is gone on with."""
    turns = [message for message in asked.messages if message.role is not Role.SYSTEM]
    return bool(turns) and turns[-1].role is Role.ASSISTANT and bool(turns[-1].content)


# -- tools, thought and form -----------------------------------------------------------------


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    """A tool in the form of the house; those in OpenAI's form are in it already."""
    if isinstance(tool.get("function"), dict):
        return {"type": "function", "function": tool["function"]}
    kind = tool.get("type")
    if kind not in (None, "custom", "function"):
        raise InvalidInput(
            f"{place} is of type {str(kind)[:48]!r}, which only Anthropic's servers run or models "
            "know; give a tool by name, description and input_schema",
            param=place,
        )
    schema = tool.get("input_schema", {"type": "object", "properties": {}})
    if not isinstance(tool.get("name"), str) or not isinstance(schema, dict):
        raise InvalidInput(
            f"{place}: a name and a JSON Schema as input_schema were expected", param=place
        )
    told = {"name": tool["name"], "description": tool.get("description"), "parameters": schema}
    stated = {name: value for name, value in told.items() if value is not None}
    return {"type": "function", "function": stated}


def _choice(asked: Asked) -> ToolChoice:
    given = asked.tool_choice
    if given is None:
        return "auto"
    if given.type == "tool" and given.name:
        return NamedTool(name=given.name)
    if given.type not in CHOICES:
        raise InvalidInput(
            f"tool_choice: {given.type[:32]!r}: 'auto', 'any', 'none', or 'tool' with a name was "
            "expected",
            param="tool_choice",
        )
    return CHOICES[given.type]


def _reasoning(asked: Asked) -> bool | None:
    given = asked.thinking
    if given is None:
        return False
    if given.type not in THINKS:
        raise InvalidInput(
            f"thinking.type={given.type[:32]!r}: {', '.join(map(repr, THINKS))} are known",
            param="thinking.type",
        )
    if given.type == "enabled":
        _check_budget(given.budget_tokens, getattr(asked, "max_tokens", None))
    return THINKS[given.type]


def _check_budget(budget: int | None, longest: int | None) -> None:
    if budget is None or budget < LEAST_BUDGET:
        raise InvalidInput(
            f"thinking.budget_tokens={budget}: at least {LEAST_BUDGET} was expected",
            param="thinking.budget_tokens",
        )
    if longest is not None and budget >= longest:
        raise InvalidInput(
            f"thinking.budget_tokens={budget}: it must be below max_tokens, which is {longest}",
            param="thinking.budget_tokens",
        )


def _structure(asked: Asked) -> Structure | None:
    newer = asked.output_config and asked.output_config.format
    form: Form | None = newer or asked.output_format
    if form is None:
        return None
    if form.type != "json_schema" or form.schema is None:
        raise InvalidInput(
            f"output_config.format: {form.type[:32]!r}: 'json_schema' with a schema was expected",
            param="output_config.format",
        )
    return Structure(json_schema=form.schema)


def _sampling(asked: MessageRequest) -> Sampling:
    if asked.max_tokens < 1:
        raise InvalidInput(
            f"max_tokens={asked.max_tokens}: at least 1 was expected", param="max_tokens"
        )
    for name in ("temperature", "top_p"):
        value = getattr(asked, name)
        if value is not None and not 0 <= value <= 1:
            raise InvalidInput(f"{name}={value}: 0 to 1 was expected", param=name)
    return Sampling(
        max_tokens=asked.max_tokens,
        temperature=1.0 if asked.temperature is None else asked.temperature,
        top_p=1.0 if asked.top_p is None else max(asked.top_p, LEAST_P),
        top_k=asked.top_k or 0,
        stop=asked.stop_sequences or [],
    )
