"""Messages of OpenAI's responses API; see ``openai.schema`` on unknown fields and ``null``."""

from __future__ import annotations

from typing import Any

import msgspec


class InputPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of what is said: ``input_text``, ``output_text``, ``reasoning_text`` or a picture.

    Attributes:
        type: Its kind.
        text: What is said.
        image_url: What is shown, as ``input_image``: a data URI, or an ``http(s)`` address.
        detail: Accepted and not used.
    """

    type: str
    text: str | None = None
    image_url: str | None = None
    detail: str | None = None


class InputItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of the conversation so far.

    Attributes:
        type: ``message``, ``function_call``, ``function_call_output`` or ``reasoning``.
        id: Its name.
        role: Who says a message.
        content: What is said, or thought.
        call_id: Which call it is, or answers.
        name: The tool that is called.
        arguments: What it is called with, as JSON text.
        output: What the tool says.
    """

    type: str = "message"
    id: str | None = None
    role: str | None = None
    content: str | list[InputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[InputPart] | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """How much the model thinks; ``effort`` is ``none`` for not at all."""

    effort: str | None = None
    summary: str | None = None


class TextOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the text: ``text``, ``json_object`` or ``json_schema``."""

    format: dict[str, Any] | None = None
    verbosity: str | None = None


class ResponseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/responses`` takes.

    Attributes:
        model: Name of the model.
        input: What is said, as a text or as the steps of a conversation.
        instructions: What the model is told first; not carried on to later responses.
        previous_response_id: The response that is gone on from; it must have been kept.
        store: Whether the response is kept; true if nobody says.
        max_output_tokens: Longest answer, in tokens.
        temperature: 0 takes the likeliest token each time.
        top_p: Keep the likeliest tokens that together reach this probability.
        top_logprobs: Likeliest tokens told beside each.
        tools: Functions that the model may call.
        tool_choice: ``auto``, ``none``, ``required``, one function by its name, or
            ``allowed_tools``.
        parallel_tool_calls: Whether it may call several at once.
        text: The form of the text.
        reasoning: How much the model thinks.
        include: ``message.output_text.logprobs``; others mean nothing here.
        metadata: Told back.
        stream: Whether the answer is told as it is made.
        truncation: Only ``disabled``: what is too long is refused.
        background: Only false.
        conversation: Not accepted.
        prompt: Not accepted.
        user: Accepted and not used.
    """

    model: str
    input: str | list[InputItem]
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    stream: bool | None = None
    truncation: str | None = None
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None
    user: str | None = None


class InputDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the conversation that need not be read again."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that are thought, not said."""

    reasoning_tokens: int


class ResponseUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of an answer."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class ResponseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/responses`` answers, if not as events; other fields are those asked with.

    Attributes:
        status: ``in_progress``, ``completed``, ``incomplete`` or ``failed``.
        output: What was thought, said and called, in order.
        error: Why it failed.
        incomplete_details: Why it is not complete.
        store: Whether it is kept.
    """

    id: str
    object: str
    created_at: int
    completed_at: int | None
    status: str
    model: str
    output: list[dict[str, Any]]
    error: dict[str, Any] | None
    incomplete_details: dict[str, str] | None
    usage: ResponseUsage | None
    store: bool
    previous_response_id: str | None
    instructions: str | None
    max_output_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_logprobs: int
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any]
    parallel_tool_calls: bool
    text: dict[str, Any]
    reasoning: dict[str, str | None]
    metadata: dict[str, str]
    truncation: str = "disabled"
    background: bool = False
    service_tier: str = "default"
    max_tool_calls: None = None
    user: str | None = None


class InputItemList(msgspec.Struct, frozen=True, kw_only=True):
    """What a response was asked with."""

    object: str
    data: list[dict[str, Any]]
    first_id: str
    last_id: str
    has_more: bool


class ResponseDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A response that is no more."""

    id: str
    object: str
    deleted: bool


class InputTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of what a response would be asked with."""

    object: str
    input_tokens: int
