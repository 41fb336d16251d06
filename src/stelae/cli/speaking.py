"""``stelae speak`` from its options to its last line."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stelae.cli import reach
from stelae.cli.given import text_of
from stelae.cli.made import format_of, place_of, whole
from stelae.cli.output import Output
from stelae.client import Client, Speech, SpeechOptions
from stelae.errors import InvalidInput
from stelae.types import AudioFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae speak``."""

    model: str
    text: str | None
    output: Path | None
    format: str | None
    options: SpeechOptions
    server: str | None
    key: str | None
    local: bool


def run(request: Request, out: Output) -> None:
    """Read the text aloud, into a file or for whoever reads stdout.

    Raises:
        InvalidInput: There is no place for it, or the model cannot do what is asked.
        StelaeError: It failed.
    """
    place = place_of(request.output, "sound", "speech.mp3")
    if place is None and out.json:
        raise InvalidInput(
            "stdout takes the sound and nothing else: give a file with -o OUT.mp3", param="output"
        )
    text = text_of(request.text, out, "text")
    form = format_of(place, request.format, AudioFormat, AudioFormat.MP3)
    asked: SpeechOptions = {**request.options, "format": form}
    where = (request.server, request.key)
    with reach.either(request.model, *where, local=request.local, timeout=None) as client:
        model = None if request.local else request.model
        if place is None:
            _played(client, text, model, asked)
        else:
            _kept(client, text, model, asked, place, out)


def _played(client: Client, text: str, model: str | None, asked: SpeechOptions) -> None:
    with whole(None) as stdout, closing(client.stream_speak(text, model=model, **asked)) as chunks:
        for chunk in chunks:
            stdout.write(chunk)
            stdout.flush()


def _kept(
    client: Client, text: str, model: str | None, asked: SpeechOptions, place: Path, out: Output
) -> None:
    began = time.monotonic()
    speech = client.speak(text, model=model, **asked)
    with whole(place) as file:
        file.write(speech.audio)
    took = time.monotonic() - began
    if out.json:
        out.document(summary(speech, place, took))
    out.note(f"{place}: {speech.seconds:.1f} s of sound in {took:.1f} s")


def summary(speech: Speech, place: Path, took: float) -> dict[str, Any]:
    """What was made, for programs."""
    return {
        "file": str(place),
        "format": speech.format,
        "rate": speech.rate,
        "duration": round(speech.seconds, 3),
        "characters": speech.usage.characters,
        "seconds": round(took, 3),
    }
