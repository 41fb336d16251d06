"""An echo: says the words of the last message again, one piece each; some words break it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.errors import EngineFailed, InputTooLong
from stelae.types import ChatCall, ChatUsage, Delta, Finish


class FakeTextEngine:
    """Says the last message's words, each with the space before it.

    Special words: ``!die`` ends the process, ``!fail`` fails the call, ``!wait`` says nothing
    for ever, ``!more`` goes on without end. A message of more words than ``max_tokens`` of the
    model is too long.

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
        text = call.prompt if call.prompt is not None else call.messages[-1].text
        words = text.split(" ")
        if len(words) > self.max_tokens:
            raise InputTooLong(f"{len(words)} tokens are over {self.max_tokens}")
        if call.count_only:
            yield [Delta(usage=ChatUsage(prompt_tokens=len(words)))]
            return
        self.open += 1
        try:
            for index in range(call.n):
                async for piece in self._say(words, index, call.sampling.max_tokens):
                    yield [piece]
            usage = ChatUsage(prompt_tokens=len(words), completion_tokens=len(words) * call.n)
            yield [Delta(usage=usage)]
        finally:
            self.open -= 1

    async def _say(self, words: list[str], index: int, most: int | None) -> AsyncGenerator[Delta]:
        for number, word in enumerate(words[:most]):
            await asyncio.sleep(0)
            await self._obey(word)
            self.said += 1
            yield Delta(index=index, text=f" {word}" if number else word, tokens=[len(word)])
            while word == "!more":
                await asyncio.sleep(0)
                self.said += 1
                yield Delta(index=index, text=" more", tokens=[4])
        cut = most is not None and most < len(words)
        yield Delta(index=index, finish=Finish.LENGTH if cut else Finish.STOP)

    async def _obey(self, word: str) -> None:
        if word == "!die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "!fail":
            raise EngineFailed("the fake engine was told to fail")
        if word == "!wait":
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


def load(spec: ModelSpec, options: EngineOptions) -> FakeTextEngine:
    """Load nothing."""
    del options
    return FakeTextEngine(spec.max_tokens)
