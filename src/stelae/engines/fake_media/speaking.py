"""A tenth of a second of silence for each word; other formats than WAV are their first bytes."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator

from stelae.catalog.spec import ModelSpec
from stelae.engines.fake_media.steps import Steps
from stelae.errors import InvalidInput
from stelae.types import AudioFormat, SpeechCall, SpeechPiece, SpeechUsage

RATE = 16_000

STARTS = {
    AudioFormat.MP3: b"ID3",
    AudioFormat.FLAC: b"fLaC",
    AudioFormat.OPUS: b"OggS",
    AudioFormat.AAC: b"\xff\xf1",
    AudioFormat.PCM: b"",
}


def _of(spec: ModelSpec, call: SpeechCall) -> Iterator[list[SpeechPiece]]:
    voices = spec.speaking.voices if spec.speaking else ()
    if call.voice is not None and call.voice not in voices:
        raise InvalidInput(
            f"voice {call.voice!r} is none of this model's: {', '.join(voices)}", param="voice"
        )
    words = call.text.split()
    chunk = bytes(2 * round(RATE / 10 / call.speed))
    yield [SpeechPiece(audio=_head(call.format, len(chunk) * len(words)), rate=RATE)]
    for _ in words:
        yield [SpeechPiece(audio=chunk)]
    seconds = len(words) * len(chunk) / 2 / RATE
    yield [SpeechPiece(usage=SpeechUsage(characters=len(call.text), seconds=seconds))]


def _head(form: AudioFormat, size: int) -> bytes:
    """What stands before the samples."""
    if form is not AudioFormat.WAV:
        return STARTS[form]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(bytes(size))
    return file.getvalue()[:-size] if size else file.getvalue()


STEPS = Steps(lambda call: call.text, _of)
