"""Chats: what is asked, and the reply that is put together from the pieces of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

import msgspec

from stelae.client._messages import MessageLike, message_of
from stelae.client._streams import call_of
from stelae.client._tools import StructureLike, structure_of, tool_choice_of, tool_of
from stelae.errors import InvalidInput
from stelae.types import (
    ChatCall,
    ChatUsage,
    Delta,
    Finish,
    Message,
    NamedTool,
    Part,
    ReasoningPart,
    Speaker,
    TextPart,
    TokenLogprob,
    ToolUse,
)


class ChatOptions(TypedDict, total=False):
    """Options of ``chat``; see ``Sampling`` and ``ChatCall`` for their meaning and bounds.

    ``tools`` are Python functions, whose signatures and docstrings are told, or dicts in OpenAI's
    form. ``tool_choice`` is ``auto``, ``none``, ``required`` or the name of a tool. ``structure``
    is ``json``, a JSON Schema, a class that has one, or a ``Structure``.
    """

    max_tokens: int | None
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: dict[int, float]
    seed: int | None
    stop: str | Sequence[str]
    stop_tokens: Sequence[int]
    logprobs: bool
    top_logprobs: int
    tools: Sequence[dict[str, Any] | Callable[..., Any]]
    tool_choice: str | NamedTool
    parallel_tool_calls: bool
    structure: StructureLike | None
    reasoning: bool | None
    template_options: dict[str, Any]
    continues: bool
    n: int
    lora: str | None
    gpu: str | None


OTHERS = frozenset(ChatCall.__struct_fields__) - {"model", "messages", "prompt", "sampling"}
"""Options that are not about the choice of tokens."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says.

    Attributes:
        texts: As many as were asked for.
        finishes: Why each of them ends.
        tokens: Ids of the tokens of each.
        logprobs: Log-probabilities of these, if asked for.
        usage: Tokens of all.
        thoughts: What was thought before each.
        calls: Tools that each calls; arguments that are no JSON object, since the text was cut,
            stand under ``raw``.
        stopped_by: The stop string that ended each, if one did.
    """

    texts: list[str]
    finishes: list[Finish]
    tokens: list[list[int]]
    logprobs: list[list[TokenLogprob]]
    usage: ChatUsage
    thoughts: list[str] = []
    calls: list[list[ToolUse]] = []
    stopped_by: list[str | None] = []

    @classmethod
    def of(cls, pieces: Iterable[Delta], n: int = 1) -> Reply:
        """The pieces of an answer, put together.

        Args:
            pieces: As ``stream_chat`` gives them; all, or those that came.
            n: Texts that were asked for.
        """
        said = [_Text() for _ in range(n)]
        usage = ChatUsage()
        for piece in pieces:
            said[piece.index].add(piece)
            usage = piece.usage or usage
        return cls(
            texts=[text.said for text in said],
            finishes=[text.finish for text in said],
            tokens=[text.tokens for text in said],
            logprobs=[text.logprobs for text in said],
            usage=usage,
            thoughts=[text.thought for text in said],
            calls=[text.uses for text in said],
            stopped_by=[text.stopped_by for text in said],
        )

    @property
    def text(self) -> str:
        """The first text, usually the only one."""
        return self.texts[0]

    @property
    def reasoning(self) -> str:
        """What was thought before the first text."""
        return self.thoughts[0] if self.thoughts else ""

    @property
    def tool_calls(self) -> list[ToolUse]:
        """Tools that the first text calls; ``tool_result`` answers one."""
        return self.calls[0] if self.calls else []

    @property
    def finish(self) -> Finish:
        """Why the first text ends."""
        return self.finishes[0]

    @property
    def message(self) -> Message:
        """The first text as a message, to go on with the conversation."""
        parts: list[Part] = [ReasoningPart(text=self.reasoning)] if self.reasoning else []
        if self.text or not self.tool_calls:
            parts.append(TextPart(text=self.text))
        return Message(role=Speaker.ASSISTANT, content=parts, tool_calls=self.tool_calls)

    def __str__(self) -> str:
        return self.text


class _Text:
    """One text, put together."""

    def __init__(self) -> None:
        self.said = self.thought = ""
        self.finish = Finish.STOP
        self.stopped_by: str | None = None
        self.tokens: list[int] = []
        self.logprobs: list[TokenLogprob] = []
        self._calls: dict[int, list[str]] = {}

    def add(self, piece: Delta) -> None:
        """More of it."""
        self.said += piece.text
        self.thought += piece.reasoning
        self.tokens += piece.tokens
        self.logprobs += piece.logprobs
        self.finish = piece.finish or self.finish
        self.stopped_by = piece.stopped_by or self.stopped_by
        if (tool := piece.tool) is not None:
            call = self._calls.setdefault(tool.index, ["", "", ""])
            for place, more in enumerate((tool.id, tool.name, tool.arguments)):
                call[place] += more or ""

    @property
    def uses(self) -> list[ToolUse]:
        """The tools that it calls."""
        return [
            ToolUse(id=name, name=tool, arguments=_arguments(text))
            for _, (name, tool, text) in sorted(self._calls.items())
        ]


def _arguments(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {"raw": text}


def chat_call(
    messages: str | Iterable[MessageLike], model: str, options: Mapping[str, Any]
) -> ChatCall:
    """The call that arguments mean.

    Raises:
        InvalidInput: A message or an option is not one.
    """
    given = {name: value for name, value in options.items() if value is not None}
    others = {name: given.pop(name) for name in OTHERS if name in given}
    if isinstance(stop := given.get("stop", []), str):
        stop = [stop]
    said = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    if not isinstance(said, Iterable):
        raise InvalidInput(
            f"messages is a {type(said).__name__}; a text or a list of messages was expected",
            param="messages",
        )
    plain = {
        "model": model,
        "messages": [message_of(message, index) for index, message in enumerate(said)],
        "sampling": {**given, "stop": list(stop)},
        **others,
        **_wanted(others),
    }
    return call_of("chat", plain, ChatCall)


def _wanted(others: Mapping[str, Any]) -> dict[str, Any]:
    """Options that may be said in several ways, in the one that is sent."""
    ways = {
        "tools": lambda tools: [tool_of(tool) for tool in tools],
        "tool_choice": tool_choice_of,
        "structure": structure_of,
    }
    return {name: way(others[name]) for name, way in ways.items() if name in others}
