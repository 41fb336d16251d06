"""Messages of Anthropic's API.

Unknown fields are passed over and an explicit ``null`` means the default: agents send fields of
many versions (``cache_control``, ``context_management``, ``service_tier``), which change nothing
here.

Source: the API reference of Anthropic, and the types of the package ``anthropic`` 2.12.0.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Role(StrEnum):
    """Who says a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the content of a picture or a document is.

    Attributes:
        type: ``base64`` or ``url`` of a picture; ``text`` or ``content`` of a document.
        data: Base64, or plain text.
        url: An address.
        content: Plain text, or blocks of it.
    """

    type: str
    data: str | None = None
    url: str | None = None
    content: str | list[Block] | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A block of a message; which fields count is up to its ``type``.

    Attributes:
        type: ``text``, ``image``, ``document``, ``search_result``, ``tool_use``, ``tool_result``,
            ``thinking`` or ``redacted_thinking``.
        text: Of a text.
        source: Of a picture or a document; the name of what was found.
        title: Of a document or of what was found.
        context: What is said about a document.
        id: Of a call of a tool.
        name: The tool.
        input: What it is called with.
        tool_use_id: The call that a result answers.
        content: A result, or what was found.
        is_error: Whether the tool failed.
        thinking: What was thought.
    """

    type: str
    text: str | None = None
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: str | list[Block] | dict[str, Any] | None = None
    is_error: bool | None = None
    thinking: str | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the conversation.

    Attributes:
        role: Who says it.
        content: A text, or blocks.
    """

    role: Role
    content: str | list[Block]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Whether tools are called.

    Attributes:
        type: ``auto``, ``any``, ``none`` or ``tool``.
        name: The tool to call.
        disable_parallel_tool_use: Whether at most one is called at once.
    """

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the model thinks first.

    Attributes:
        type: ``enabled``, ``disabled``, ``adaptive`` or ``between_tools``.
        budget_tokens: From 1,024, below ``max_tokens``; checked, and no bound here.
        display: ``omitted`` leaves out what was thought.
    """

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The form that the text must have: ``type`` is ``json_schema``."""

    type: str
    schema: dict[str, Any] | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer should be like.

    Attributes:
        format: The form of its text.
        effort: How much is thought, for templates that ask (``reasoning_effort``).
    """

    format: Form | None = None
    effort: str | None = None


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that the server keeps; here none is kept, and the client sends it whole.

    Attributes:
        type: ``create``, or ``continue``, which is answered with ``thread_not_found``.
    """

    type: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/messages/count_tokens`` takes.

    Attributes:
        model: Name of the model.
        messages: The conversation. A last message of the assistant is gone on with.
        system: The system prompt, a text or blocks of text.
        tools: Tools that the model may call: ``name``, ``description``, ``input_schema``.
        tool_choice: Whether it must.
        thinking: Whether it thinks first; not, if this is left out.
        output_config: The form of the text, and effort.
        output_format: The form of the text, as older clients send it.
        thread: Whether the conversation begins here, or goes on where the server left it.
        mcp_servers: Not accepted: tools are called by who asks.
        container: Not accepted: nothing is run here.
    """

    model: str
    messages: list[Said]
    system: str | list[Block] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Choice | None = None
    thinking: Thinking | None = None
    output_config: Output | None = None
    output_format: Form | None = None
    thread: Thread | None = None
    mcp_servers: Any = None
    container: Any = None


class MessageRequest(Asked, frozen=True, kw_only=True):
    """What ``POST /v1/messages`` takes; fields not named here are those of ``count_tokens``.

    Attributes:
        max_tokens: Longest answer in tokens, at least 1.
        stream: Whether the answer is told in events, as it is made.
        temperature: 0 takes the likeliest token each time; 0 to 1.
        top_p: Keep the likeliest tokens that together reach this probability; 0 to 1.
        top_k: Keep so many of the likeliest tokens.
        stop_sequences: Texts at which the answer ends.
    """

    max_tokens: int
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None


class MessageUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of an answer.

    Attributes:
        input_tokens: Tokens of the conversation that were read for it.
        cache_read_input_tokens: Further ones, which had been read before.
        cache_creation_input_tokens: Always 0: what is kept costs nothing.
        output_tokens: Tokens written.
        output_tokens_details: How many of these are thought: ``thinking_tokens``.
    """

    input_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int = 0
    output_tokens: int
    output_tokens_details: dict[str, int]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/messages`` answers, if not in events.

    Attributes:
        id: Name of the answer.
        content: Blocks: ``thinking``, ``text`` and ``tool_use``.
        stop_reason: ``end_turn``, ``tool_use``, ``stop_sequence``, ``max_tokens``, or
            ``model_context_window_exceeded`` if the model could read no further.
        stop_sequence: The text that ended it, if one did.
    """

    id: str
    type: str
    role: str
    content: list[dict[str, Any]]
    model: str
    stop_reason: str | None
    stop_sequence: str | None
    usage: MessageUsage


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/messages/count_tokens`` answers."""

    input_tokens: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A model.

    Attributes:
        id: The name to ask for.
        type: Always ``model``.
        display_name: The same name.
        created_at: When this server learnt of it.
        lifecycle: Always ``active``.
        max_input_tokens: Longest conversation.
        max_tokens: Longest answer.
    """

    id: str
    type: str
    display_name: str
    created_at: str
    lifecycle: str
    max_input_tokens: int | None
    max_tokens: int | None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the models.

    Attributes:
        data: The models.
        has_more: Whether there are further ones in the direction asked for.
        first_id: The first one's name.
        last_id: The last one's.
    """

    data: list[Listed]
    has_more: bool
    first_id: str | None
    last_id: str | None
