"""Transcripts as files: lines of text, subtitles, or an object of JSON for each segment."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import msgspec

from stelae.client import Transcript
from stelae.types import Segment
from stelae.wire.subtitles import Cues, Subtitles


class Form(StrEnum):
    """Formats of transcripts."""

    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    JSONL = "jsonl"


ENDS = {Form.TEXT: ".txt", Form.SRT: ".srt", Form.VTT: ".vtt", Form.JSONL: ".jsonl"}
"""How names of files end."""


class Writer(Protocol):
    """Writes one transcript, segment by segment."""

    @property
    def head(self) -> str:
        """What stands before the first segment."""

    def write(self, segment: Segment) -> str:
        """What stands for a segment."""


class Lines:
    """A line for each segment; nothing for one in which nothing is said.

    Args:
        title: The recording's name, if others follow it.
    """

    def __init__(self, title: str | None = None) -> None:
        self.head = f"==> {title} <==\n" if title else ""

    def write(self, segment: Segment) -> str:
        """The line of a segment."""
        text = " ".join(segment.text.split())
        return f"{text}\n" if text else ""


class Objects:
    """An object of JSON for each segment.

    Args:
        file: The recording's name.
    """

    head = ""

    def __init__(self, file: str) -> None:
        self._file = file

    def write(self, segment: Segment) -> str:
        """The object of a segment, in a line."""
        return json.dumps({"file": self._file, **segment_of(segment)}, ensure_ascii=False) + "\n"


def writer_of(form: Form, file: str, *, titled: bool) -> Writer:
    """Who writes a transcript.

    Args:
        form: Its format.
        file: The recording's name.
        titled: Whether text begins with that name.
    """
    match form:
        case Form.TEXT:
            return Lines(file if titled else None)
        case Form.JSONL:
            return Objects(file)
        case _:
            return Cues(Subtitles(form))


def segment_of(segment: Segment) -> dict[str, Any]:
    """A segment for programs."""
    told = {
        "id": segment.id,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text.strip(),
        "avg_logprob": segment.avg_logprob,
        "no_speech_prob": segment.no_speech_prob,
    }
    words = [msgspec.structs.asdict(word) for word in segment.words]
    return {**told, "words": words} if words else told


def facts(file: str, place: Path | None, transcript: Transcript) -> dict[str, Any]:
    """A transcript for programs; its segments too, if they went to no file."""
    told = {
        "file": file,
        "output": None if place is None else str(place),
        "language": transcript.language,
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if place is not None:
        return told
    return {**told, "segments": [segment_of(segment) for segment in transcript.segments]}
