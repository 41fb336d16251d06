"""Chats: what is sent, what comes back, and the reply that is put together from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

import msgspec

from stelae.errors import ErrorInfo, InvalidInput, ProtocolError, from_info
from stelae.types import (
    ChatCall,
    ChatUsage,
    Delta,
    Finish,
    Message,
    Speaker,
    TextPart,
    TokenLogprob,
)

MessageLike = Message | Mapping[str, Any]
"""A message, or a dict with its fields; ``content`` may be a plain text."""


class ChatOptions(TypedDict, total=False):
    """Options of ``chat``; see ``Sampling`` for their meaning and bounds."""

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
    logprobs: bool
    top_logprobs: int
    tools: Sequence[dict[str, Any]]
    tool_choice: Literal["auto", "none"]
    n: int
    gpu: str | None


OTHERS = ("tools", "tool_choice", "n", "gpu")
"""Options that are not about the choice of tokens."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says.

    Attributes:
        texts: As many as were asked for.
        finishes: Why each of them ends.
        tokens: Ids of the tokens of each.
        logprobs: Log-probabilities of these, if asked for.
        usage: Tokens of all.
    """

    texts: list[str]
    finishes: list[Finish]
    tokens: list[list[int]]
    logprobs: list[list[TokenLogprob]]
    usage: ChatUsage

    @property
    def text(self) -> str:
        """The first text, usually the only one."""
        return self.texts[0]

    @property
    def message(self) -> Message:
        """The first text as a message, to go on with the conversation."""
        return Message(role=Speaker.ASSISTANT, content=[TextPart(text=self.text)])

    def __str__(self) -> str:
        return self.text


def chat_call(
    messages: str | Iterable[MessageLike], model: str, options: Mapping[str, Any]
) -> ChatCall:
    """The call that arguments mean.

    Raises:
        InvalidInput: A message or an option is not one.
    """
    given = dict(options)
    others = {name: given.pop(name) for name in OTHERS if name in given}
    if isinstance(stop := given.get("stop", []), str):
        stop = [stop]
    said = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    fields = {**given, "stop": list(stop)}
    plain = {
        "model": model,
        "messages": [_message(message) for message in said],
        "sampling": {name: value for name, value in fields.items() if value is not None},
        **others,
    }
    try:
        return msgspec.convert(plain, ChatCall)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"chat: {error}") from error


def _message(message: MessageLike) -> Any:
    if isinstance(message, Message):
        return message
    if not isinstance(message, Mapping):
        raise InvalidInput(
            f"messages: a message is a dict or a Message, not a {type(message).__name__}",
            param="messages",
        )
    made = dict(message)
    if isinstance(made.get("content"), str):
        made["content"] = [TextPart(text=made["content"])]
    return made


def reply(pieces: Iterable[Delta], texts: int) -> Reply:
    """The pieces of an answer, put together."""
    said = [""] * texts
    finishes = [Finish.STOP] * texts
    tokens: list[list[int]] = [[] for _ in said]
    logprobs: list[list[TokenLogprob]] = [[] for _ in said]
    usage = ChatUsage()
    for piece in pieces:
        said[piece.index] += piece.text
        finishes[piece.index] = piece.finish or finishes[piece.index]
        tokens[piece.index] += piece.tokens
        logprobs[piece.index] += piece.logprobs
        usage = piece.usage or usage
    return Reply(texts=said, finishes=finishes, tokens=tokens, logprobs=logprobs, usage=usage)


class _Failure(msgspec.Struct, frozen=True):
    error: ErrorInfo


_EVENT = msgspec.json.Decoder(list[Delta])
_FAILURE = msgspec.json.Decoder(_Failure)


def pieces_in(line: str) -> list[Delta]:
    """The pieces in a line of an answer; none in lines that are no events.

    Raises:
        StelaeError: What the server reports in the middle of an answer.
        ProtocolError: The line cannot be read.
    """
    if not line.startswith("data: "):
        return []
    try:
        if line.startswith("data: {"):
            raise from_info(_FAILURE.decode(line[6:]).error)
        return _EVENT.decode(line[6:])
    except msgspec.DecodeError as error:
        raise ProtocolError(f"an event of the answer cannot be read: {error}") from error


def broken_off(address: str) -> ProtocolError:
    """An answer ended without its last piece."""
    return ProtocolError(f"the answer of {address} broke off; what came of it is not whole")
