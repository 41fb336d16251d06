"""What the protocols of text share: pictures, arguments and names in, whole texts out."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stelae.dialects.ask import offload
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.security.places import is_data, read_data, shown
from stelae.types import ChatUsage, Delta, Finish, TokenLogprob, ToolPiece

_ARGUMENTS = msgspec.json.Decoder(dict[str, Any])


@dataclass(slots=True)
class Called:
    """A call of a tool, put together.

    Attributes:
        id: Its name in the conversation.
        name: The tool.
        arguments: What it is called with, as JSON text.
    """

    id: str
    name: str = ""
    arguments: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """The arguments as a dict; see ``made_arguments``."""
        return made_arguments(self.arguments)


@dataclass(slots=True)
class Written:
    """One text of an answer, put together.

    Attributes:
        text: What is said.
        reasoning: What was thought before.
        calls: Tools that are called, in order.
        tokens: Ids of its tokens.
        logprobs: Of these, if they were asked for.
        finish: Why it ends.
        stopped_by: The stop string that ended it, if one did.
    """

    text: str = ""
    reasoning: str = ""
    calls: list[Called] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: Finish = Finish.STOP
    stopped_by: str | None = None

    def add(self, piece: Delta) -> None:
        """More of it."""
        self.text += piece.text
        self.reasoning += piece.reasoning
        self.tokens += piece.tokens
        self.logprobs += piece.logprobs
        self.finish = piece.finish or self.finish
        self.stopped_by = piece.stopped_by or self.stopped_by
        if piece.tool is not None:
            self._call(piece.tool)

    def _call(self, piece: ToolPiece) -> None:
        while len(self.calls) <= piece.index:
            self.calls.append(Called(piece.id or new_id("call_")))
        call = self.calls[piece.index]
        call.name = piece.name or call.name
        call.arguments += piece.arguments


class Gathered:
    """An answer, put together.

    Args:
        count: Texts that were asked for.
    """

    def __init__(self, count: int) -> None:
        self.texts = [Written() for _ in range(count)]
        self.usage = ChatUsage()

    def add(self, pieces: Iterable[Delta]) -> None:
        """More of it."""
        for piece in pieces:
            self.texts[piece.index].add(piece)
            self.usage = piece.usage or self.usage


async def gather(made: AsyncGenerator[list[Delta]], count: int) -> Gathered:
    """All of an answer.

    Raises:
        StelaeError: As the answer does.
    """
    gathered = Gathered(count)
    async with aclosing(made):
        async for pieces in made:
            gathered.add(pieces)
    return gathered


def arguments(text: str, place: str) -> dict[str, Any]:
    """Arguments of a call that are told as JSON text; none are an empty text.

    Raises:
        InvalidInput: They are no JSON object; ``place`` is where they stand.
    """
    try:
        return _ARGUMENTS.decode(text or "{}")
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise InvalidInput(f"{place}: {shown(text)} is no JSON object", param=place) from error


def made_arguments(text: str) -> dict[str, Any]:
    """Arguments of a call that a model made; text that is no object (it was cut off) is ``raw``.

    Conversations tell such calls again: refusing them would end every one in which a model erred.
    """
    try:
        return _ARGUMENTS.decode(text or "{}")
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return {"raw": text}


def biases(given: Mapping[str, float] | None) -> dict[int, float]:
    """What is added to the scores of tokens, by the numbers that JSON tells as texts.

    Raises:
        InvalidInput: A name is no token's number.
    """
    for key in given or ():
        if not (key.isascii() and key.isdigit() and len(key) < 10):
            raise InvalidInput(f"logit_bias: {key[:32]!r} is no token's number", param="logit_bias")
    return {int(key): bias for key, bias in (given or {}).items()}


async def picture(fetcher: Fetcher, address: str, place: str) -> bytes:
    """The file of a picture that a message names.

    Args:
        fetcher: Fetches what stands elsewhere, if it may.
        address: A data URI, or an ``http(s)`` address.
        place: Where it stands, for errors.

    Raises:
        InvalidInput: It is neither, may not be fetched, is not there, or is too large.
    """
    if not is_data(address) and not address[:8].lower().startswith(("http://", "https://")):
        raise InvalidInput(
            f"{place}: {shown(address)} is neither a data URI nor an http(s) address", param=place
        )
    try:
        if is_data(address):
            return await offload(len(address), read_data, address, fetcher.rules.most_bytes)
        return await fetcher.fetch(address)
    except InvalidInput as error:
        raise _at(place, error) from error


def base64_picture(fetcher: Fetcher, text: str, place: str) -> bytes:
    """The file of a picture that stands in a message as base64 text.

    Raises:
        InvalidInput: It is no base64, or too large; ``place`` is where it stands.
    """
    try:
        return read_data(f"data:;base64,{text}", fetcher.rules.most_bytes)
    except InvalidInput as error:
        raise _at(place, error) from error


def _at(place: str, error: InvalidInput) -> InvalidInput:
    return InvalidInput(f"{place}: {error.message}", param=place, hint=error.hint)


def new_id(prefix: str) -> str:
    """A name nobody can guess, after a prefix such as ``call_``."""
    return prefix + secrets.token_hex(12)
