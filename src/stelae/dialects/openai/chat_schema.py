"""Messages of OpenAI's chat and completions API; see ``schema`` on unknown fields and ``null``."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.types import Finish, Speaker


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message: ``type`` is ``text``.

    Attributes:
        type: Its kind.
        text: What is said.
    """

    type: str
    text: str | None = None


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as it was called: its name, and its arguments as JSON text."""

    name: str
    arguments: str = "{}"


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool."""

    id: str
    function: Function
    type: str = "function"


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the conversation.

    Attributes:
        role: Who says it.
        content: What is said.
        name: The speaker's own name.
        tool_calls: Calls of tools that the assistant made.
        tool_call_id: The call that a message of a tool answers.
    """

    role: Speaker
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is streamed; ``include_usage`` adds an event with the tokens used."""

    include_usage: bool | None = None


class _Sampled(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    user: str | None = None


class ChatRequest(_Sampled, frozen=True, kw_only=True):
    """What ``POST /v1/chat/completions`` takes.

    Attributes:
        model: Name of the model.
        messages: The conversation.
        temperature: 0 takes the likeliest token each time.
        top_p: Keep the likeliest tokens that together reach this probability.
        n: Texts wanted.
        max_tokens: Longest text, in tokens.
        max_completion_tokens: The same by its newer name, which counts more.
        stop: Texts at which the text ends.
        seed: Makes choices repeatable.
        presence_penalty: Taken off scores of tokens that stand in the text.
        frequency_penalty: The same for each time they do.
        logit_bias: Added to scores of tokens, by id.
        stream: Whether the answer is told as it is made.
        stream_options: How.
        logprobs: Whether log-probabilities are told.
        top_logprobs: Likeliest tokens told beside each.
        tools: Tools that the model is told of; how it calls them stands in its text.
        tool_choice: ``auto`` or ``none``.
        response_format: ``{"type": "text"}``; others are refused.
        top_k: (Stelae) Keep so many of the likeliest tokens.
        min_p: (Stelae) Keep tokens at least so likely, measured by the likeliest.
        repetition_penalty: (Stelae) Divides scores of tokens that were there before.
        user: Accepted and not used.
    """

    messages: list[ChatMessage]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None


class CompletionRequest(_Sampled, frozen=True, kw_only=True):
    """What ``POST /v1/completions`` takes; fields not named here are those of a chat.

    Attributes:
        prompt: The text to go on with, alone or in a list.
        logprobs: Likeliest tokens told beside each.
        echo: Whether the prompt is told again; only ``false``.
        suffix: Not accepted.
    """

    prompt: str | list[str]
    logprobs: int | None = None
    echo: bool | None = None
    suffix: str | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of an answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class TopLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """A token that might have been next; ``bytes`` is ``null`` where it is no text alone."""

    token: str
    logprob: float
    bytes: list[int] | None


class Logprob(TopLogprob, frozen=True, kw_only=True):
    """A chosen token, and the likeliest in its place."""

    top_logprobs: list[TopLogprob]


class Logprobs(msgspec.Struct, frozen=True, kw_only=True):
    """Log-probabilities of a text."""

    content: list[Logprob]
    refusal: None = None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says."""

    role: str
    content: str
    refusal: None = None


class ChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One text."""

    index: int
    message: Answered
    logprobs: Logprobs | None
    finish_reason: Finish


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/chat/completions`` answers, if not as events."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class TextLogprobs(msgspec.Struct, frozen=True, kw_only=True):
    """Log-probabilities of a completion, in columns."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class TextChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One text of a completion."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Finish | None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/completions`` answers, if not as events."""

    id: str
    object: str
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage
