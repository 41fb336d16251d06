"""An engine around a model that hears windows: recordings through the loop of windows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

from stelae.audio.mel import window
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.catalog.wordpiece import open_tokenizer
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.engines.hardware import cores
from stelae.engines.listening.features import mel_of
from stelae.engines.listening.hearer import Hearer
from stelae.engines.listening.loop import TOGETHER, WindowLoop
from stelae.engines.listening.tape import Tape, survey
from stelae.engines.listening.transcript import Ears, Transcript
from stelae.engines.listening.vocabulary import Vocabulary
from stelae.engines.mailbox import Mailbox
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedTask
from stelae.types import TranscribeCall, TranscribePiece
from stelae.wire.languages import code_of

RECORDINGS = 32
"""Recordings that are listened to at once; others wait."""

MOST_THREADS = 4
"""Threads that make spectra."""

AHEAD = 64
"""Lots of pieces that are made ahead of who takes them."""


class ListenEngine:
    """A model that writes down what is said; see ``StreamEngine``.

    Args:
        spec: The model.
        model: What computes.
        vocabulary: Its tokens.
        info: What it says of itself.
        options: How it was loaded.
    """

    def __init__(
        self,
        spec: ModelSpec,
        model: Hearer,
        vocabulary: Vocabulary,
        info: EngineInfo,
        options: EngineOptions,
    ) -> None:
        if spec.hearing is None or not isinstance(spec.backbone, Backbone):
            raise ModelLoadFailed(f"model {spec.name!r} writes down nothing")
        features = partial(window, mel=mel_of(spec.backbone.config["spectrum"]))
        threads = min(MOST_THREADS, options.threads or cores())
        together = 1 if options.deterministic else TOGETHER
        self._ears = Ears(spec.hearing, vocabulary, spec.max_tokens)
        self._name, self._model, self._info = spec.name, model, info
        self._loop = WindowLoop(model, features, threads, together)
        self._places = asyncio.Semaphore(RECORDINGS)

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        return self._info

    @property
    def stats(self) -> StreamStats:
        """Its counters."""
        return self._loop.stats

    async def stream(self, call: TranscribeCall) -> AsyncGenerator[list[TranscribePiece]]:
        """Answer a call; see ``StreamEngine``."""
        language = self._language(call)
        async with self._places:
            rate = self._ears.hearing.rate
            found = await asyncio.to_thread(survey, call.audio, rate)
            tape = Tape(call.audio, rate)
            box: Mailbox[TranscribePiece] = Mailbox(AHEAD)
            transcript = Transcript(tape, found, call, language, self._ears, box.put)
            self._loop.add(transcript.run(), box)
            try:
                while pieces := await box.take():
                    self._loop.look()
                    yield pieces
            finally:
                box.dropped = True
                self._loop.look()

    async def aclose(self) -> None:
        """End what is under way and free what the engine holds."""
        await asyncio.to_thread(self._loop.close)
        self._model.close()

    def _language(self, call: TranscribeCall) -> str | None:
        """The language spoken, if the caller or the model says.

        Raises:
            InvalidInput: The model knows others.
            UnsupportedTask: It does not translate.
        """
        hearing = self._ears.hearing
        if call.translate and not hearing.translates:
            raise UnsupportedTask(
                f"translate: model {self._name!r} writes the language that it hears",
                param="translate",
                hint="leave it out, or take a model that was trained to translate",
            )
        if call.language is None:
            return hearing.languages[0] if len(hearing.languages) == 1 else None
        code = code_of(call.language) or call.language
        if code not in hearing.languages:
            raise InvalidInput(
                f"language={call.language!r}: model {self._name!r} was trained on "
                f"{', '.join(hearing.languages)}; give one of these, or leave it out",
                param="language",
            )
        return code


def vocabulary_of(spec: ModelSpec) -> Vocabulary:
    """The tokens of a checkpoint.

    Raises:
        UnsupportedCheckpoint: Its tokenizer cannot be read, or lacks a token.
        ModelLoadFailed: It writes down nothing.
    """
    if spec.hearing is None:
        raise ModelLoadFailed(f"model {spec.name!r} writes down nothing")
    tokenizer = open_tokenizer(Path(spec.folder, spec.tokenizer))
    return Vocabulary(tokenizer, spec.hearing.languages)
