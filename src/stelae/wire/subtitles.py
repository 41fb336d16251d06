"""Transcripts as files of subtitles: SubRip and WebVTT, whole or cue by cue.

Source: W3C WebVTT (https://www.w3.org/TR/webvtt1/), sections 4.1 and 4.2; SubRip as its players
read it: a number from 1, times with a comma before the milliseconds, lines of text, an empty line.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from stelae.types import Segment

SHORTEST = 0.001
"""Seconds that a cue is shown at least: WebVTT has none that end as they begin."""

_ARROW = "-->"
_ARROW_SHOWN = "->"
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Subtitles(StrEnum):
    """Formats of subtitles."""

    SRT = "srt"
    VTT = "vtt"

    @property
    def media(self) -> str:
        """Its media type; SubRip has none that is registered."""
        return "text/vtt" if self is Subtitles.VTT else "text/plain"

    @property
    def head(self) -> str:
        """What stands before the first cue."""
        return "WEBVTT\n\n" if self is Subtitles.VTT else ""


class Cues:
    """Writes the cues of one file, in order.

    Args:
        form: Format of the file.
    """

    def __init__(self, form: Subtitles) -> None:
        self._form, self._count = form, 0

    @property
    def head(self) -> str:
        """What stands before the first cue."""
        return self._form.head

    def write(self, segment: Segment) -> str:
        """The cue of a segment; empty if nothing is said in it, for there is nothing to show."""
        lines = _lines(segment.text, self._form)
        if not lines:
            return ""
        self._count += 1
        number = f"{self._count}\n" if self._form is Subtitles.SRT else ""
        start = stamp(segment.start, self._form)
        least = round(segment.start * 1000) / 1000 + SHORTEST  # after the start as it is shown
        end = stamp(max(segment.end, least), self._form)
        return f"{number}{start} {_ARROW} {end}\n{lines}\n\n"


def subtitles(segments: Iterable[Segment], form: Subtitles) -> str:
    """The file for a transcript.

    Args:
        segments: In order of time.
        form: Its format.

    Example:
        >>> said = Segment(id=0, start=0, end=1.5, text=" Hello.")
        >>> print(subtitles([said], Subtitles.SRT), end="")
        1
        00:00:00,000 --> 00:00:01,500
        Hello.
        <BLANKLINE>
    """
    cues = Cues(form)
    return cues.head + "".join(map(cues.write, segments))


def stamp(seconds: float, form: Subtitles) -> str:
    """A time as hours, minutes, seconds and milliseconds; times before 0 are 0."""
    whole, milliseconds = divmod(max(0, round(seconds * 1000)), 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    point = "," if form is Subtitles.SRT else "."
    return f"{hour:02d}:{minute:02d}:{second:02d}{point}{milliseconds:03d}"


def _lines(text: str, form: Subtitles) -> str:
    """The lines of a cue: an empty one would end it, an arrow would be read as its times."""
    text = "\n".join(stripped for line in text.splitlines() if (stripped := line.strip()))
    if form is Subtitles.VTT:
        return text.translate(_VTT_ESCAPES)
    while _ARROW in text:
        text = text.replace(_ARROW, _ARROW_SHOWN)
    return text
