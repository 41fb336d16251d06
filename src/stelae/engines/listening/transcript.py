"""A transcript under way: window after window, each from where the last was done."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from stelae.catalog.abilities import Hearing
from stelae.engines.listening.asks import Align, Ask, Detect, Hear, Steps, Write
from stelae.engines.listening.hearer import Aligned, Decoding, Written
from stelae.engines.listening.judging import compression, is_good, is_silence
from stelae.engines.listening.segments import Stretch, parse
from stelae.engines.listening.tape import Survey, Tape
from stelae.engines.listening.vocabulary import TICK, Vocabulary
from stelae.engines.listening.voice import audible, voiced
from stelae.engines.listening.words import words_of
from stelae.errors import EngineFailed
from stelae.types import Segment, TranscribeCall, TranscribePiece, TranscribeUsage, Word

FORGETFUL = 0.5
"""Above this temperature a text is no help for the next window."""

ROUND = 32
"""Tokens by which the number of those that stand before a window grows."""

FRAME = 160
"""Samples from one spectrum to the next."""


@dataclass(frozen=True, slots=True)
class Ears:
    """What a model hears and writes.

    Attributes:
        hearing: What it says of itself.
        vocabulary: Its tokens.
        written: Tokens of a window, prompt included.
    """

    hearing: Hearing
    vocabulary: Vocabulary
    written: int

    @property
    def window(self) -> int:
        """Samples that it hears at once."""
        return round(self.hearing.window * self.hearing.rate)

    @property
    def tick(self) -> int:
        """Samples from one time to the next."""
        return round(TICK * self.hearing.rate)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a recording that was heard.

    Attributes:
        heard: The model's memory of it.
        start: Its first sample.
        stop: The one behind its last.
        more: Whether there is sound behind it.
    """

    heard: Any
    start: int
    stop: int
    more: bool


class Transcript:
    """Writes down one recording.

    Args:
        tape: The recording.
        found: What is known of it.
        call: What is wanted.
        language: Code of the language spoken, if that is known.
        ears: Of the model.
        tell: Takes what was found.
    """

    def __init__(
        self,
        tape: Tape,
        found: Survey,
        call: TranscribeCall,
        language: str | None,
        ears: Ears,
        tell: Callable[[list[TranscribePiece]], None],
    ) -> None:
        self._tape, self._found, self._ears, self._tell = tape, found, ears, tell
        self._call = call
        self._language = language
        self._vocabulary = ears.vocabulary
        given = (call.prompt or "").strip()
        self._given = self._vocabulary.encode(f" {given}") if given else []
        self._before = list(self._given)
        self._segments = self._tokens = 0
        self._said = 0.0

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self._found.samples / self._ears.hearing.rate

    def run(self) -> Steps:
        """Write it down."""
        self._tell([TranscribePiece(duration=self.seconds, language=self._language)])
        for start, end in self._spans():
            yield from self._span(start, end)
        usage = TranscribeUsage(seconds=self.seconds, tokens=self._tokens)
        self._tell([TranscribePiece(position=self.seconds, usage=usage)])

    def _spans(self) -> list[tuple[int, int]]:
        hearing = self._ears.hearing
        if self._call.vad:
            return voiced(self._found, hearing.rate)
        return audible(self._found, hearing.rate, hearing.window)

    def _span(self, start: int, end: int) -> Steps:
        while start < end:
            stop = min(start + self._ears.window, end)
            heard = yield Hear(self._tape.read(start, stop))
            if self._language is None:
                yield from self._detect(heard)
            temperature, written = yield from self._write(heard)
            window = Window(heard, start, stop, more=stop < end)
            start = yield from self._keep(window, written, temperature)

    def _detect(self, heard: Any) -> Steps:
        chances: dict[int, float] = yield Detect(heard)
        codes = {token: code for code, token in self._vocabulary.languages.items()}
        self._language = codes[max(chances, key=lambda token: chances[token])]
        self._tell([TranscribePiece(language=self._language)])

    @property
    def _prefix(self) -> list[int]:
        return self._vocabulary.prefix(self._language, translate=self._call.translate)

    def _write(self, heard: Any) -> Generator[Ask, Any, tuple[float, Written]]:
        """Try temperatures in turn until the text is good."""
        prefix = self._prefix
        prompt = [*self._vocabulary.before(self._before, self._known(prefix)), *prefix]
        for temperature in self._call.temperatures:
            beams = self._call.beams if temperature == 0 else 1
            written: Written = yield Write(heard, prompt, Decoding(temperature, beams))
            _check_numbers(written)
            if is_good(written, self._vocabulary.decode(written.tokens)):
                break
        return temperature, written

    def _known(self, prefix: list[int]) -> int:
        """How many tokens of what stands before are told.

        Of a text that goes on they are one of few numbers, since prompts that are equally long
        run together.
        """
        room = self._ears.written // 2 - len(prefix)
        known = len(self._before)
        if known < ROUND or known == len(self._given) or known > room:
            return min(known, room)
        return known // ROUND * ROUND

    def _keep(
        self, window: Window, written: Written, temperature: float
    ) -> Generator[Ask, Any, int]:
        """Tell what a window holds; the sample at which the next begins."""
        self._tokens += len(written.tokens)
        if is_silence(written):
            self._tell([self._position(window.stop)])
            return window.stop
        tick = self._ears.tick
        ticks = -(-(window.stop - window.start) // tick)
        parsed = parse(written.tokens, self._vocabulary, ticks, more=window.more)
        kept = [one for one in parsed.stretches if one.start < ticks and self._text(one)]
        done = min(window.start + parsed.done * tick, window.stop)
        spoken: list[list[Word]] = [[] for _ in kept]
        if self._call.words and kept:
            spoken = yield from self._align(window, kept, done)
        pieces = [
            TranscribePiece(segment=self._segment(one, words, written, temperature, window.start))
            for one, words in zip(kept, spoken, strict=True)
        ]
        self._remember(kept, temperature)
        self._tell([*pieces, self._position(done)])
        return done

    def _position(self, sample: int) -> TranscribePiece:
        return TranscribePiece(position=sample / self._ears.hearing.rate)

    def _text(self, stretch: Stretch) -> str:
        """What is said in a stretch; nothing where it has no length."""
        text = self._vocabulary.decode(stretch.tokens)
        return text if text.strip() and stretch.end > stretch.start else ""

    def _align(
        self, window: Window, kept: list[Stretch], done: int
    ) -> Generator[Ask, Any, list[list[Word]]]:
        """Words of the segments of a window that is done up to a sample."""
        texts = [[t for t in s.tokens if t < self._vocabulary.end] for s in kept]
        every = [token for text in texts for token in text]
        frames = max(1, (window.stop - window.start) // FRAME)
        aligned: Aligned = yield Align(window.heard, tuple(self._prefix), every, frames)
        begin, end = (place / self._ears.hearing.rate for place in (window.start, done))
        within = (self._said, max(self._said, end))
        return words_of(texts, aligned, self._vocabulary, self._language, begin, within)

    def _segment(
        self, stretch: Stretch, words: list[Word], written: Written, temperature: float, begin: int
    ) -> Segment:
        rate, tick = self._ears.hearing.rate, self._ears.tick
        text = self._text(stretch)
        start = min(max((begin + stretch.start * tick) / rate, self._said), self.seconds)
        end = min(max((begin + stretch.end * tick) / rate, start), self.seconds)
        if words:
            start, end = words[0].start, words[-1].end
        self._said = end
        self._segments += 1
        return Segment(
            id=self._segments - 1,
            start=start,
            end=end,
            text=text,
            tokens=stretch.tokens,
            temperature=temperature,
            avg_logprob=written.avg_logprob,
            compression_ratio=compression(self._vocabulary.decode(written.tokens)),
            no_speech_prob=written.no_speech,
            words=words,
        )

    def _remember(self, kept: list[Stretch], temperature: float) -> None:
        """What the next window is told of this one: its text, without times.

        Source: Radford et al. 2022 (arXiv:2212.04356), figure 1 (previous text tokens).
        """
        if temperature > FORGETFUL:
            self._before = []
            return
        end = self._vocabulary.end
        self._before += [token for one in kept for token in one.tokens if token < end]
        self._before = self._before[-self._ears.written :]


def _check_numbers(written: Written) -> None:
    """Refuse a text whose scores are no numbers: whatever it says, the model did not hear it.

    Raises:
        EngineFailed: They are not.
    """
    if not (math.isfinite(written.avg_logprob) and math.isfinite(written.no_speech)):
        raise EngineFailed(
            f"the model scores its text with {written.avg_logprob} and silence with "
            f"{written.no_speech}, which are no finite numbers"
        )
