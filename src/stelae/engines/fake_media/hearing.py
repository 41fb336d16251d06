"""Says that what is heard is the prompt, a word each second, in capitals where it translates."""

from __future__ import annotations

from collections.abc import Iterator

from stelae.catalog.spec import ModelSpec
from stelae.engines.fake_media.steps import Steps
from stelae.errors import InvalidInput
from stelae.types import Segment, TranscribeCall, TranscribePiece, TranscribeUsage, Word

SILENCE = "the river flows to the sea"
"""What is heard without a prompt."""

STARTS = (b"RIFF", b"ID3", b"fLaC", b"OggS", b"\xff\xfb")
"""How files begin that it takes for sound."""


def _of(spec: ModelSpec, call: TranscribeCall) -> Iterator[list[TranscribePiece]]:
    del spec
    if not call.audio.startswith(STARTS):
        raise InvalidInput(
            f"the recording has {len(call.audio)} bytes that start with {call.audio[:12]!r}, which "
            "is no sound of a known format",
            param="audio",
        )
    words = [word for word in _text(call).split() if not word.startswith("!")]
    seconds = float(len(words))
    yield [TranscribePiece(language=call.language or "en", duration=seconds)]
    for number, word in enumerate(words):
        yield [TranscribePiece(segment=_segment(number, word, call), position=number + 1.0)]
    yield [TranscribePiece(usage=TranscribeUsage(seconds=seconds, tokens=len(words)))]


def _text(call: TranscribeCall) -> str:
    text = call.prompt or SILENCE
    return text.upper() if call.translate else text


def _segment(number: int, word: str, call: TranscribeCall) -> Segment:
    start, end = float(number), number + 1.0
    said = Word(word=f" {word}", start=start, end=end, probability=0.5)
    return Segment(
        id=number,
        start=start,
        end=end,
        text=f" {word}",
        tokens=[len(word)],
        temperature=call.temperatures[0],
        avg_logprob=-0.5,
        compression_ratio=1.0,
        no_speech_prob=0.25,
        words=[said] if call.words else [],
    )


STEPS = Steps(lambda call: call.prompt or "", _of)
