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


class TextPart(
    msgspec.Struct, frozen=True, kw_only=True, tag="text", tag_field="type", omit_defaults=True
):
    """A part of a message that is text."""

    text: str


class ImagePart(
    msgspec.Struct, frozen=True, kw_only=True, tag="image", tag_field="type", omit_defaults=True
):
    """A part of a message that is a picture, for models that see.

    Attributes:
        image: The bytes of its file (in JSON: base64).
    """

    image: bytes


class ReasoningPart(
    msgspec.Struct, frozen=True, kw_only=True, tag="reasoning", tag_field="type", omit_defaults=True
):
    """What the assistant thought before it spoke; templates decide whether models see it again."""

    text: str


Part = TextPart | ImagePart | ReasoningPart


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
        content: What is said, in parts, in order.
        name: The speaker's own name, for templates that show it.
        tool_calls: Calls of tools that the assistant makes with it.
        tool_call_id: The call that a message of a tool answers.
    """

    role: Speaker
    content: list[Part] = []
    name: str | None = None
    tool_calls: list[ToolUse] = []
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """All of its text."""
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        """All that was thought."""
        return "".join(part.text for part in self.content if isinstance(part, ReasoningPart))

    @property
    def images(self) -> list[bytes]:
        """Its pictures, in order."""
        return [part.image for part in self.content if isinstance(part, ImagePart)]


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
        stop_tokens: Further tokens at which it ends, by id; at most 64.
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
    stop_tokens: list[int] = []
    logprobs: bool = False
    top_logprobs: int = 0


class Structure(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The form that a text must have; exactly one is given.

    Attributes:
        json_object: Any JSON object.
        json_schema: JSON that fits a JSON Schema.
        regex: A regular expression that the whole text matches.
        choice: One of these texts.
        grammar: A grammar in the notation of Lark, or in EBNF (``root ::= ...``).
    """

    json_object: bool = False
    json_schema: dict[str, Any] | None = None
    regex: str | None = None
    choice: list[str] = []
    grammar: str | None = None


class NamedTool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one tool that must be called."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


class ChatCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a language model to go on with a conversation, or with a text.

    Attributes:
        model: Name or alias of the model.
        messages: The conversation, oldest message first; at most 10,000.
        prompt: A text to go on with as it stands, in place of ``messages``: no template is used.
        prompt_tokens: The same by the ids of its tokens.
        tools: Tools that the model is told of, in OpenAI's form: ``{"type": "function",
            "function": {"name", "description", "parameters"}}``.
        tool_choice: ``auto`` leaves it to the model, ``none`` tells it of no tools, ``required``
            makes it call at least one, a ``NamedTool`` makes it call that one.
        parallel_tool_calls: Whether it may call several at once.
        structure: The form that the text must have; ``None`` for any.
        reasoning: Whether the model thinks before it speaks, where its template leaves the choice;
            ``None`` as the template does.
        template_options: Further variables for the template.
        continues: Whether the last message, one of the assistant, is gone on with.
        sampling: How tokens are chosen.
        n: Texts wanted of the same conversation; 1 to 64.
        lora: Name of one of the model's adapters; ``None`` for the model itself.
        cache_salt: Only conversations of the same salt, and of the same key of the server, begin
            with what an earlier one has read: how long an answer takes then tells nobody else
            what was asked before.
        count_only: Whether only the tokens of the conversation are counted: the answer is its
            ``usage`` alone.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    messages: list[Message] = []
    prompt: str | None = None
    prompt_tokens: list[int] = []
    tools: list[dict[str, Any]] = []
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    structure: Structure | None = None
    reasoning: bool | None = None
    template_options: dict[str, Any] = {}
    continues: bool = False
    sampling: Sampling = Sampling()
    n: int = 1
    lora: str | None = None
    cache_salt: str = ""
    count_only: bool = False
    gpu: str | None = None
