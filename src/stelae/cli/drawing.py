"""``stelae image`` from its options to its last line."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from stelae.cli import reach, screen
from stelae.cli.given import text_of
from stelae.cli.made import format_of, place_of, whole
from stelae.cli.output import Output
from stelae.client import ImageOptions, Pictures
from stelae.client._imaging import numbered
from stelae.errors import InvalidInput
from stelae.types import ImageFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae image``."""

    model: str
    prompt: str | None
    output: Path | None
    format: str | None
    options: ImageOptions
    server: str | None
    key: str | None
    local: bool
    progress: bool | None


def run(request: Request, out: Output) -> None:
    """Make the pictures, write their files and show them.

    Raises:
        InvalidInput: There is no place for them, or the model cannot do what is asked.
        StelaeError: It failed.
    """
    place = _place(request, out)
    prompt = text_of(request.prompt, out, "prompt")
    form = format_of(place, request.format, ImageFormat, ImageFormat.PNG)
    pictures, seconds = _made(request, prompt, form, out)
    places = _written(pictures, place)
    if out.json:
        out.document(summary(pictures, places, seconds))
    else:
        _told(pictures, places, out)
        out.note(f"{pictures.usage.steps} steps in {seconds:.1f} s")


def _made(request: Request, prompt: str, form: ImageFormat, out: Output) -> tuple[Pictures, float]:
    """The pictures, and the seconds that they took once the model was there."""
    asked: ImageOptions = {**request.options, "format": form}
    where = (request.server, request.key)
    with reach.either(request.model, *where, local=request.local, timeout=None) as client:
        began = time.monotonic()
        pictures = client.image(
            prompt,
            model=None if request.local else request.model,
            progress=out.gauged(request.progress),
            **asked,
        )
        return pictures, time.monotonic() - began


def _told(pictures: Pictures, places: list[Path | None], out: Output) -> None:
    """Show the pictures if stdout is a terminal, and tell where they are."""
    if sys.stdout.isatty() and not out.quiet:
        for picture in pictures:
            screen.show(picture.image)
    for picture, path in zip(pictures, places, strict=True):
        shape = "x".join(map(str, picture.size or ()))
        out.note(f"{path or 'stdout'}: {shape}, seed {picture.seed}")


def _place(request: Request, out: Output) -> Path | None:
    place = place_of(request.output, "a picture", "picture.png")
    if place is None and (out.json or request.options.get("n", 1) > 1):
        raise InvalidInput(
            "stdout takes one picture and nothing else: give a file with -o OUT.png",
            param="output",
        )
    return place


def _written(pictures: Pictures, place: Path | None) -> list[Path | None]:
    """Where each of them is."""
    places: list[Path | None] = [None]
    if place is not None:
        places[:] = numbered(place, len(pictures))
    for picture, path in zip(pictures, places, strict=True):
        with whole(path) as file:
            file.write(picture.image)
    return places


def summary(pictures: Pictures, places: list[Path | None], seconds: float) -> dict[str, Any]:
    """What was made, for programs."""
    return {
        "pictures": [
            {"file": str(path), "seed": picture.seed, "size": picture.size}
            for picture, path in zip(pictures, places, strict=True)
        ],
        "usage": msgspec.to_builtins(msgspec.structs.asdict(pictures.usage)),
        "seconds": round(seconds, 3),
    }
