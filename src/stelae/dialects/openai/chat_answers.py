"""What OpenAI's chat and completions API answers."""

from __future__ import annotations

import msgspec

from stelae.dialects.openai.chat_schema import Function, ToolCall
from stelae.types import Finish


class PromptDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the conversation that need not be read again."""

    cached_tokens: int


class CompletionDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that are thought, not said."""

    reasoning_tokens: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of an answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


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


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the model says.

    Attributes:
        role: Always ``assistant``.
        content: The text; empty if it only calls tools.
        reasoning_content: What it thought before.
        tool_calls: Tools that it calls.
        function_call: The call in its older form, for requests with ``functions``.
        refusal: Always ``null``.
    """

    role: str
    content: str
    refusal: None
    reasoning_content: str = ""
    tool_calls: list[ToolCall] = []
    function_call: Function | None = None


class ChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One text; ``finish_reason`` is ``function_call`` for requests with ``functions``."""

    index: int
    message: Answered
    logprobs: Logprobs | None
    finish_reason: str


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
