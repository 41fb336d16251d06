"""Chat: a conversation in, a text out, piece by piece."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec


class Speaker(StrEnum):
    """Who says a message of a conversation."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Finish(StrEnum):
    """Why a text ends: by itself or at a stop string, or because it may not be longer."""

    STOP = "stop"
    LENGTH = "length"


class TextPart(
    msgspec.Struct, frozen=True, kw_only=True, tag="text", tag_field="type", omit_defaults=True
):
    """A part of a message that is text; the only kind of part there is so far."""

    text: str


class ToolUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call of a tool that the assistant made before.

    Attributes:
        id: Its name in the conversation; a later message of the tool answers it.
        name: The tool.
        arguments: What it was called with.
    """

    id: str
    name: str
    arguments: dict[str, Any] = {}


class Message(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One message of a conversation.

    Attributes:
        role: Who says it.
        content: What is said, in parts; templates get them joined.
        name: The speaker's own name, for templates that show it.
        tool_calls: Calls of tools that the assistant makes with it.
        tool_call_id: The call that a message of a tool answers.
    """

    role: Speaker
    content: list[TextPart] = []
    name: str | None = None
    tool_calls: list[ToolUse] = []
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """All of its text."""
        return "".join(part.text for part in self.content)


class Sampling(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How each next token is chosen, and when the text ends.

    Penalties and ``logit_bias`` change the model's scores first, then ``temperature`` divides
    them; of the tokens, ``top_k``, ``top_p`` and ``min_p``, in this order, leave the likely ones,
    among which one is drawn.

    Attributes:
        max_tokens: Longest text in tokens, from 1; ``None`` as far as the model reads.
        temperature: 0 takes the likeliest token each time; 0 to 100.
        top_p: Keep the likeliest tokens that together reach this probability; above 0, to 1.
        top_k: Keep so many of the likeliest tokens; 0 keeps all.
        min_p: Keep tokens at least so likely, measured by the likeliest; 0 to 1.
        repetition_penalty: Divides (or, below zero, multiplies) scores of tokens that stand in the
            conversation or the text already; above 0, to 10; 1 changes nothing.
        presence_penalty: Taken off scores of tokens that stand in the text already; -2 to 2.
        frequency_penalty: The same for each time they do; -2 to 2.
        logit_bias: Added to the scores of tokens, by id; -100 to 100.
        seed: Makes choices repeatable, whatever else is asked at the time; 64 bits.
        stop: Texts at which the text ends, not part of it; at most 64 of at most 256 characters.
        logprobs: Whether each token's log-probability is told.
        top_logprobs: Likeliest tokens told beside each; 0 to 20.
    """

    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = {}
    seed: int | None = None
    stop: list[str] = []
    logprobs: bool = False
    top_logprobs: int = 0


class ChatCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a language model to go on with a conversation, or with a text.

    Attributes:
        model: Name or alias of the model.
        messages: The conversation, oldest message first; at most 10,000.
        prompt: A text to go on with as it stands, in place of ``messages``: no template is used.
        tools: Tools that the model is told of, as JSON Schema objects; how it calls them stands in
            the text.
        tool_choice: ``none`` tells the model of no tools.
        sampling: How tokens are chosen.
        n: Texts wanted of the same conversation; 1 to 64.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    messages: list[Message] = []
    prompt: str | None = None
    tools: list[dict[str, Any]] = []
    tool_choice: Literal["auto", "none"] = "auto"
    sampling: Sampling = Sampling()
    n: int = 1
    gpu: str | None = None


class TopToken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token that might have been next, and how likely it was.

    Attributes:
        token: Its text; bytes that are no text alone are shown as U+FFFD.
        id: Its number.
        logprob: Natural logarithm of its probability, before penalties and temperature.
    """

    token: str
    id: int
    logprob: float


class TokenLogprob(TopToken, frozen=True, kw_only=True, omit_defaults=True):
    """A chosen token.

    Attributes:
        top: The likeliest tokens in its place, likeliest first.
    """

    top: list[TopToken] = []


class ChatUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of an answer.

    Attributes:
        prompt_tokens: Tokens of the conversation, as the template writes it.
        completion_tokens: Tokens written, over all texts, the one that ends a text included.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Both."""
        return self.prompt_tokens + self.completion_tokens


class Delta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of an answer; what joins the texts of one ``index`` is that text.

    The last piece of an answer, and only that, has ``usage``: without it the answer is not whole.

    Attributes:
        index: Which of the ``n`` texts it belongs to.
        text: More of the text; whole characters only.
        tokens: Ids of the tokens that became known with it.
        logprobs: Of these tokens, if asked for.
        finish: Why the text ends, with its last piece.
        usage: Tokens of the whole answer.
    """

    index: int = 0
    text: str = ""
    tokens: list[int] = []
    logprobs: list[TokenLogprob] = []
    finish: Finish | None = None
    usage: ChatUsage | None = None
