"""Transcripts: what is asked, and what comes of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, TypedDict

from stelae.client._pictures import BYTES, Deferred, loaded
from stelae.client._place import Place
from stelae.client._sounds import sound
from stelae.client._streams import call_of
from stelae.types import Segment, TranscribeCall, TranscribePiece, TranscribeUsage, Word
from stelae.wire import data_uri
from stelae.wire.subtitles import Subtitles, subtitles

RecordingLike = bytes | bytearray | memoryview | str | os.PathLike[str]
"""A recording: its file's path, the bytes of that, or a data URI."""


class TranscribeOptions(TypedDict, total=False):
    """Options of ``transcribe``; see ``TranscribeCall`` for their meaning."""

    language: str | None
    translate: bool
    prompt: str | None
    temperatures: float | Sequence[float]
    words: bool
    vad: bool
    beams: int
    gpu: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is said in a recording.

    Attributes:
        segments: Stretches of it and what is said there, in order.
        language: Language spoken, by its code.
        duration: Length of the recording in seconds.
        usage: Work of the whole answer.
    """

    segments: tuple[Segment, ...] = field(default=(), repr=False)
    language: str | None = None
    duration: float | None = None
    usage: TranscribeUsage = field(default_factory=TranscribeUsage)

    @classmethod
    def of(cls, pieces: Iterable[TranscribePiece]) -> Transcript:
        """The pieces of an answer, put together.

        Args:
            pieces: As ``stream_transcribe`` gives them; all, or those that came.
        """
        segments: list[Segment] = []
        language, duration, usage = None, None, TranscribeUsage()
        for piece in pieces:
            segments += [] if piece.segment is None else [piece.segment]
            language, usage = piece.language or language, piece.usage or usage
            duration = duration if piece.duration is None else piece.duration
        return cls(segments=tuple(segments), language=language, duration=duration, usage=usage)

    @property
    def text(self) -> str:
        """All that is said."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> list[Word]:
        """All words, if they were asked for."""
        return [word for segment in self.segments for word in segment.words]

    def srt(self) -> str:
        """The transcript as a file of subtitles in SubRip's format."""
        return subtitles(self.segments, Subtitles.SRT)

    def vtt(self) -> str:
        """The transcript as a file of subtitles in the format WebVTT."""
        return subtitles(self.segments, Subtitles.VTT)

    def __str__(self) -> str:
        return self.text


class Position:
    """Tells how much of a recording is done, in whole seconds."""

    def __init__(self) -> None:
        self._done = 0
        self._total: int | None = None

    def add(self, piece: TranscribePiece) -> tuple[int, int | None]:
        """Seconds done with a piece, and seconds in all, if that is known."""
        if piece.duration is not None:
            self._total = ceil(piece.duration)
        if piece.position is not None:
            self._done = int(piece.position)
        if piece.usage is not None and self._total is not None:
            self._done = self._total
        return self._done, self._total


def transcribe_call(audio: RecordingLike, model: str, options: Mapping[str, Any]) -> TranscribeCall:
    """The call that arguments mean.

    Raises:
        InvalidInput: The recording cannot be read, or an option is not one.
    """
    fields = {**options, "model": model, "audio": recording(audio)}
    if isinstance(once := options.get("temperatures"), float | int):
        fields["temperatures"] = [once]
    return call_of("transcribe", fields, TranscribeCall)


def recording(audio: Any) -> bytes:
    """The bytes of a recording's file.

    Raises:
        InvalidInput: It cannot be read.
    """
    place = Place("audio")
    if not isinstance(audio, (*BYTES, str, os.PathLike)):
        raise place.wrong(
            f"is of type {type(audio).__name__}; a path, the bytes of a file or a data URI was "
            "expected"
        )
    if isinstance(audio, str) and not data_uri.is_data(audio):
        audio = Path(audio)
    item, _ = sound(audio, place)
    held = loaded(item, place) if isinstance(item, Deferred) else item
    return held.audio or b""
