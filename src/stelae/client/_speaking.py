"""Speech: what is asked, and the sound that comes of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

from stelae.client._streams import call_of
from stelae.types import AudioFormat, SpeechCall, SpeechPiece, SpeechUsage
from stelae.wire import data_uri, waves


class SpeechOptions(TypedDict, total=False):
    """Options of ``speak``; see ``SpeechCall`` for their meaning."""

    voice: str | None
    speed: float
    language: str | None
    seed: int | None
    format: AudioFormat | Literal["wav", "mp3", "flac", "opus", "aac", "pcm"]
    gpu: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A text read aloud.

    Attributes:
        audio: The bytes of the sound's file.
        format: Its format.
        rate: Samples per second.
        usage: Work of the whole answer.
    """

    audio: bytes = field(repr=False)
    format: AudioFormat
    rate: int | None = None
    usage: SpeechUsage = field(default_factory=SpeechUsage)

    @classmethod
    def of(cls, pieces: Iterable[SpeechPiece], form: AudioFormat) -> Speech:
        """The pieces of an answer, put together.

        Args:
            pieces: All, or those that came.
            form: The format that was asked for.
        """
        parts: list[bytes] = []
        rate, usage = None, SpeechUsage()
        for piece in pieces:
            parts.append(piece.audio)
            rate, usage = piece.rate or rate, piece.usage or usage
        return cls(audio=waves.ended(b"".join(parts)), format=form, rate=rate, usage=usage)

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.usage.seconds

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, in the format that it was asked for.

        Returns:
            Where it is.
        """
        place = Path(path)
        place.write_bytes(self.audio)
        return place

    def _repr_html_(self) -> str | None:
        if self.format is AudioFormat.PCM:
            return None  # no browser plays bare samples
        return f'<audio controls src="{data_uri.written(self.audio, self.format.media)}"></audio>'


def speech_call(text: str, model: str, options: Mapping[str, Any]) -> SpeechCall:
    """The call that arguments mean.

    Raises:
        InvalidInput: An option is not one.
    """
    return call_of("speak", {**options, "model": model, "text": text}, SpeechCall)
