"""Transcripts in the formats of OpenAI's audio API, whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.openai.audio_schema import (
    DurationUsage,
    Granularity,
    TranscriptFormat,
    Transcription,
    TranscriptSegment,
    TranscriptWord,
    VerboseTranscription,
)
from stelae.types import Segment, TranscribePiece, TranscribeUsage
from stelae.wire.languages import name_of
from stelae.wire.subtitles import Cues, Subtitles

TRANSLATED = "english"
"""Language of every translation."""

SEEKS = 100
"""Frames a second of what Whisper hears, in which its segments' ``seek`` counts."""


class Writer(Protocol):
    """Writes a transcript segment by segment; what it writes, joined, is the whole text."""

    @property
    def head(self) -> str:
        """What stands before the first."""
        ...

    def write(self, segment: Segment) -> str:
        """What a segment adds."""
        ...


class Plain:
    """Writes what is said alone, without blanks before or after the whole."""

    head = ""

    def __init__(self) -> None:
        self._held = ""
        self._begun = False

    def write(self, segment: Segment) -> str:
        """What a segment adds; a blank at its end waits for the next."""
        text = self._held + segment.text
        text = text if self._begun else text.lstrip()
        kept = text.rstrip()
        self._held = text[len(kept) :]
        self._begun = self._begun or bool(kept)
        return kept


@dataclass(slots=True)
class Heard:
    """A transcript, put together.

    Attributes:
        segments: In order of time.
        language: Language spoken, by its code; empty until it is known.
        duration: Length of the recording in seconds.
        usage: Work of the answer.
    """

    segments: list[Segment] = field(default_factory=list)
    language: str = ""
    duration: float = 0.0
    usage: TranscribeUsage = field(default_factory=TranscribeUsage)

    def add(self, piece: TranscribePiece) -> None:
        """More of it."""
        if piece.segment is not None:
            self.segments.append(piece.segment)
        if piece.usage is not None:
            self.usage = piece.usage
            self.duration = self.duration or piece.usage.seconds
        self.language = piece.language or self.language
        self.duration = piece.duration or self.duration


@dataclass(frozen=True, slots=True)
class Script:
    """How the answer to one request is written.

    Attributes:
        form: Its format.
        times: What gets its times.
        translated: Whether the text is a translation.
    """

    form: TranscriptFormat
    times: Sequence[Granularity] = ()
    translated: bool = False

    def writer(self) -> Writer:
        """Writes the text of the answer."""
        if self.form in (TranscriptFormat.SRT, TranscriptFormat.VTT):
            return Cues(Subtitles(self.form))
        return Plain()

    def whole(self, heard: Heard) -> Response:
        """The answer."""
        text = transcript(self.writer(), heard.segments)
        match self.form:
            case TranscriptFormat.JSON:
                return json_answer(Transcription(text=text, usage=_usage(heard)))
            case TranscriptFormat.VERBOSE:
                return json_answer(self._verbose(text, heard))
            case TranscriptFormat.VTT:
                return Response(text, media_type=Subtitles.VTT.media)
            case TranscriptFormat.SRT:
                return Response(text, media_type=Subtitles.SRT.media)
            case TranscriptFormat.TEXT:
                return Response(f"{text}\n", media_type="text/plain")

    def _verbose(self, text: str, heard: Heard) -> VerboseTranscription:
        made = VerboseTranscription(
            task="translate" if self.translated else "transcribe",
            language=TRANSLATED if self.translated else name_of(heard.language),
            duration=rounded(heard.duration),
            text=text,
            usage=_usage(heard),
        )
        if Granularity.SEGMENT in self.times:
            told = list(map(timed_segment, heard.segments))
            made = msgspec.structs.replace(made, segments=told)
        if Granularity.WORD in self.times:
            words = [word for segment in heard.segments for word in timed_words(segment)]
            made = msgspec.structs.replace(made, words=words)
        return made


def transcript(writer: Writer, segments: Iterable[Segment]) -> str:
    """The whole text of a transcript."""
    return writer.head + "".join(map(writer.write, segments))


def timed_segment(segment: Segment) -> TranscriptSegment:
    """A segment as this protocol tells it."""
    return TranscriptSegment(
        id=segment.id,
        seek=round(segment.start * SEEKS),
        start=rounded(segment.start),
        end=rounded(segment.end),
        text=segment.text,
        tokens=segment.tokens,
        temperature=segment.temperature,
        avg_logprob=segment.avg_logprob,
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_prob,
    )


def timed_words(segment: Segment) -> list[TranscriptWord]:
    """The words of a segment as this protocol tells them: without blanks."""
    return [
        TranscriptWord(word=word.word.strip(), start=rounded(word.start), end=rounded(word.end))
        for word in segment.words
    ]


def rounded(seconds: float) -> float:
    """Seconds to the millisecond."""
    return round(seconds, 3)


def _usage(heard: Heard) -> DurationUsage:
    return DurationUsage(type="duration", seconds=rounded(heard.duration))
