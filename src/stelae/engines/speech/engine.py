"""The engine: a text in, sound out, sentence by sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from stelae.audio.encode import encoder
from stelae.audio.stretch import stretched
from stelae.catalog.abilities import Speaking
from stelae.catalog.spec import ModelSpec
from stelae.catalog.speech import BARK, VITS
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.engines.extract.upstream import load_library, part_of
from stelae.engines.speech.bark import BarkReader
from stelae.engines.speech.chance import Drawn
from stelae.engines.speech.reader import Manner, Reader
from stelae.engines.speech.vits import VitsReader
from stelae.engines.turns import Turns, Work
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.types import SpeechCall, SpeechPiece, SpeechUsage

READERS: dict[str, Callable[[ModelSpec, Any], Reader]] = {BARK: BarkReader, VITS: VitsReader}
"""What reads aloud, by class name in ``config.json``."""

MOST = 1 << 20
"""Bytes of a piece."""


class SpeechEngine:
    """A model that reads aloud; see ``StreamEngine``.

    Args:
        name: Of the model, for messages.
        speaking: What it can do.
        reader: Computes.
        info: What it says of itself.
    """

    def __init__(self, name: str, speaking: Speaking, reader: Reader, info: EngineInfo) -> None:
        self._name, self._speaking, self._reader, self._info = name, speaking, reader, info
        self._turns: Turns[SpeechPiece] = Turns("stelae-speech")

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        return self._info

    @property
    def stats(self) -> StreamStats:
        """Its counters; steps are sentences."""
        return self._turns.stats

    async def stream(self, call: SpeechCall) -> AsyncGenerator[list[SpeechPiece]]:
        """Answer a call; see ``StreamEngine``."""
        manner = self._manner(call)
        script = await asyncio.to_thread(self._reader.prepare, call.text)
        if not script:
            raise InvalidInput("text has nothing that could be read aloud", param="text")
        async with aclosing(self._turns.stream(self._read(call, script, manner))) as steps:
            async for pieces in steps:
                yield pieces

    async def aclose(self) -> None:
        """End what is under way and free what the engine holds."""
        await self._turns.aclose()
        del self._reader

    def _manner(self, call: SpeechCall) -> Manner:
        """How to read.

        Raises:
            InvalidInput: The model lacks the voice or the language.
        """
        voices, languages = self._speaking.voices, self._speaking.languages
        if call.voice is not None and call.voice not in voices:
            raise _not_among("voice", call.voice, voices, self._name)
        if call.language is not None and call.language not in languages:
            raise _not_among("language", call.language, languages, self._name)
        if call.voice is not None:
            return Manner(voices.index(call.voice), call.speed)
        return Manner(self._reader.voice(call.language) if call.language else 0, call.speed)

    def _read(self, call: SpeechCall, script: list[Any], manner: Manner) -> Work[SpeechPiece]:
        chance = Drawn(call.seed)
        rate, samples = self._speaking.rate, 0
        told: int | None = rate
        file = encoder(call.format, rate)
        for sentence in script:
            with chance:
                sound = self._reader.speak(sentence, manner)
            if not self._reader.paced:
                sound = stretched(sound, rate, manner.speed)
            samples += len(sound)
            if data := file.add(sound):
                yield from _pieces(data, told)
                told = None
        yield from _pieces(file.end(), told)
        usage = SpeechUsage(characters=len(call.text), seconds=samples / rate)
        yield [SpeechPiece(usage=usage)]


def _pieces(data: bytes, rate: int | None) -> Iterator[list[SpeechPiece]]:
    """Bytes of the file, in pieces that are not too large; the first tells the rate."""
    for start in range(0, len(data), MOST):
        part = data[start : start + MOST]
        yield [SpeechPiece(audio=part, rate=None if start else rate)]


def _not_among(param: str, given: str, known: tuple[str, ...], model: str) -> InvalidInput:
    ones = ", ".join(map(repr, known)) if known else f"none: it does not state its {param}s"
    return InvalidInput(
        f"{param}={given!r}: model {model!r} does not have it; known are {ones}", param=param
    )


def load(spec: ModelSpec, options: EngineOptions) -> SpeechEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights are missing, or the model does not read aloud.
        ModelLoadFailed: The library cannot read it.
    """
    if spec.speaking is None:
        raise UnsupportedCheckpoint(f"model {spec.name!r} does not read texts aloud")
    model, info = load_library(spec, options)
    reader = READERS[part_of(spec).architecture](spec, model)
    return SpeechEngine(spec.name, spec.speaking, reader, info)
