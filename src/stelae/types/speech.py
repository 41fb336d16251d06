"""Speech: a text in, sound out, chunk by chunk."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class AudioFormat(StrEnum):
    """Formats of sound; ``pcm`` is 16-bit samples, little-endian, and nothing else."""

    WAV = "wav"
    MP3 = "mp3"
    FLAC = "flac"
    OPUS = "opus"
    AAC = "aac"
    PCM = "pcm"

    @property
    def media(self) -> str:
        """Its media type."""
        return {"mp3": "audio/mpeg", "opus": "audio/ogg"}.get(self, f"audio/{self}")


class SpeechCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a model to read a text aloud.

    Attributes:
        model: Name or alias of the model.
        text: What to read.
        voice: Name of one of the model's voices; ``None`` for its first.
        speed: How fast, 0.25 to 4; 1 as the model reads.
        language: Language of the text, by its code, for models that read several.
        seed: Decides what chance decides, for models that have any; ``None`` for chance.
        format: Format of the sound.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    text: str
    voice: str | None = None
    speed: float = 1.0
    language: str | None = None
    seed: int | None = None
    format: AudioFormat = AudioFormat.MP3
    gpu: str | None = None


class SpeechUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work of an answer.

    Attributes:
        characters: Characters of the text.
        seconds: Length of the sound.
    """

    characters: int = 0
    seconds: float = 0.0


class SpeechPiece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """More sound.

    The last piece of an answer, and only that, has ``usage``: without it the answer is not whole.

    Attributes:
        audio: More bytes of the file; joined in order they are the file.
        rate: Samples per second, with the first piece.
        usage: Work of the whole answer.
    """

    audio: bytes = b""
    rate: int | None = None
    usage: SpeechUsage | None = None
