"""An echo: says the words of the last message again, one piece each; some words break it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Iterator

from msgspec.structs import replace

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.errors import EngineFailed, InputTooLong
from stelae.types import ChatCall, ChatUsage, Delta, Finish, Sampling, ToolPiece


class FakeTextEngine:
    """Says the last message's words, each with the space before it.

    Special words: ``!die`` ends the process, ``!fail`` fails the call, ``!wait`` says nothing
    for ever, ``!more`` goes on without end; ``!think:WORD`` thinks a word, ``!call:TOOL:JSON``
    calls a tool. A stop string that is a word ends the text. A message of more words than
    ``max_tokens`` of the model is too long.

    Attributes:
        said: Pieces made so far, over all calls.
        open: Calls under way.
        closed: Whether it was.
    """

    def __init__(self, max_tokens: int = 256) -> None:
        self.max_tokens = max_tokens
        self.said = 0
        self.open = 0
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(fingerprint="fake", dtype="float32", device="cpu")

    @property
    def stats(self) -> StreamStats:
        return StreamStats(steps=self.said, sequences=self.said, tokens=self.said)

    async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
        words = _words(call)
        if len(words) > self.max_tokens:
            raise InputTooLong(f"{len(words)} tokens are over {self.max_tokens}")
        if call.count_only:
            yield [Delta(usage=ChatUsage(prompt_tokens=len(words)))]
            return
        self.open += 1
        try:
            first, read = True, ChatUsage(prompt_tokens=len(words))
            for index in range(call.n):
                async for piece in self._say(words, index, call.sampling):
                    yield [replace(piece, read=read if first else None)]
                    first = False
            usage = ChatUsage(prompt_tokens=len(words), completion_tokens=len(words) * call.n)
            yield [Delta(usage=usage)]
        finally:
            self.open -= 1

    async def _say(self, words: list[str], index: int, how: Sampling) -> AsyncGenerator[Delta]:
        most, calls = how.max_tokens, 0
        for number, word in enumerate(words[:most]):
            await asyncio.sleep(0)
            await self._obey(word)
            self.said += 1
            if word in how.stop:
                yield Delta(index=index, finish=Finish.STOP, stopped_by=word)
                return
            for piece in _pieces(f" {word}" if number else word, calls):
                calls += bool(piece.tool and piece.tool.id)
                yield replace(piece, index=index)
            while word == "!more":
                await asyncio.sleep(0)
                self.said += 1
                yield Delta(index=index, text=" more", tokens=[4])
        cut = most is not None and most < len(words)
        ended = Finish.TOOL_CALLS if calls else Finish.STOP
        yield Delta(index=index, finish=Finish.LENGTH if cut else ended)

    async def _obey(self, word: str) -> None:
        if word == "!die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "!fail":
            raise EngineFailed("the fake engine was told to fail")
        if word == "!wait":
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


def _words(call: ChatCall) -> list[str]:
    """What is said again; tokens by their numbers."""
    if call.prompt_tokens:
        return [str(token) for token in call.prompt_tokens]
    text = call.prompt if call.prompt is not None else call.messages[-1].text
    return text.split(" ")


def _pieces(said: str, calls: int) -> Iterator[Delta]:
    """What is told of a word, after so many calls."""
    order, _, rest = said.strip().partition(":")
    if order == "!think":
        yield Delta(reasoning=rest)
    elif order == "!call":
        name, _, arguments = rest.partition(":")
        half = len(arguments) // 2
        yield Delta(tool=ToolPiece(index=calls, id=f"call_{calls}", name=name))
        yield Delta(tool=ToolPiece(index=calls, arguments=arguments[:half]))
        yield Delta(tool=ToolPiece(index=calls, arguments=arguments[half:]))
    else:
        yield Delta(text=said, tokens=[len(said.strip())])


def load(spec: ModelSpec, options: EngineOptions) -> FakeTextEngine:
    """Load nothing."""
    del options
    return FakeTextEngine(spec.max_tokens)
