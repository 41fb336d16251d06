"""``stelae transcribe`` from its options to its last line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stelae.cli import exits, reach
from stelae.cli.made import whole
from stelae.cli.output import Output, printable
from stelae.cli.recordings import STDIN, Recording, recordings_of
from stelae.cli.transcripts import facts, writer_of
from stelae.client import Client, TranscribeOptions, Transcript
from stelae.client._hearing import Position
from stelae.client._progress import gauge
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidInput,
    ModelLoadFailed,
    ModelNotFound,
    StelaeError,
    UnsupportedTask,
)
from stelae.types import ModelState, Task, TranscribePiece


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae transcribe``."""

    files: Sequence[str]
    model: str | None
    output: str | None
    format: str | None
    options: TranscribeOptions
    server: str | None
    key: str | None
    local: bool
    progress: bool | None


def run(request: Request, out: Output) -> bool:
    """Write down what is said in all recordings.

    Returns:
        Whether none of them failed.

    Raises:
        InvalidInput: The options do not fit each other, or the model cannot do what is asked.
        StelaeError: It failed for a reason that all recordings share.
    """
    recordings = recordings_of(request.files, request.output, request.format, json=out.json)
    if request.local and request.model is None:
        raise InvalidInput("--local: name the model with -m", param="model")
    where = (request.server, request.key)
    with reach.either(request.model or "", *where, local=request.local, timeout=None) as client:
        model = None if request.local else request.model or hearing(client)
        told = [_done(client, replace(request, model=model), one, out) for one in recordings]
    if out.json:
        out.document(told)
    return not any("error" in one for one in told)


def hearing(client: Client) -> str:
    """The server's first model that hears, one that is loaded before others.

    Raises:
        ModelNotFound: It has none.
    """
    able = [info for info in client.models() if Task.TRANSCRIBE in info.tasks]
    if not able:
        raise ModelNotFound(
            "the server has no model that writes down what is said",
            hint="serve one: stelae serve openai/whisper-small",
        )
    return min(able, key=lambda info: info.state is not ModelState.READY).name


def _done(client: Client, request: Request, one: Recording, out: Output) -> dict[str, Any]:
    """What came of one recording, for programs; a failure of its own is told."""
    began = time.monotonic()
    try:
        transcript = _heard(client, request, one, out)
    except StelaeError as error:
        if not is_own(error):
            raise
        exits.tell(f"{one.file}: {error.message}", error.hint)
        return {"file": one.file, "error": {"code": error.code, "message": error.message}}
    length, took = transcript.duration or 0.0, time.monotonic() - began
    to = f" to {one.place}" if one.place else ""
    out.note(f"{one.file}{to}: {length:.1f} s of sound ({transcript.language}) in {took:.1f} s")
    return facts(one.file, one.place, transcript)


def is_own(error: StelaeError) -> bool:
    """Whether an error is about one recording, and not about all."""
    match error:
        case ModelLoadFailed() | UnsupportedTask():
            return False
        case InvalidInput():
            return error.param in (None, "audio")
        case _:
            return isinstance(error, EngineFailed | DeadlineExceeded)


def _heard(client: Client, request: Request, one: Recording, out: Output) -> Transcript:
    audio = _read(one.file)
    pieces: list[TranscribePiece] = []
    position = Position()
    made = client.stream_transcribe(audio, model=request.model, **request.options)
    titled = one.place is None and len(request.files) > 1
    writer = writer_of(one.form, one.file, titled=titled)
    live = one.place is None and not out.json and sys.stdout.isatty()
    bar = out.gauged(request.progress) and not live
    with closing(made), _sink(one, out) as write, gauge(bar, one.file, "seconds") as tell:
        for piece in made:
            write(writer.head if not pieces else "")
            pieces.append(piece)
            write(writer.write(piece.segment) if piece.segment else "")
            tell(*position.add(piece))
    return Transcript.of(pieces)


def _read(file: str) -> bytes:
    """The bytes of a recording's file.

    Raises:
        InvalidInput: It cannot be read.
    """
    if file == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InvalidInput(f"it cannot be read: {error.strerror}", param="audio") from error


@contextmanager
def _sink(one: Recording, out: Output) -> Iterator[Callable[[str], None]]:
    """Takes a transcript, part by part; what goes to stdout is seen at once."""
    if one.place is None and out.json:
        yield lambda text: None
        return
    with whole(one.place) as file:

        def write(text: str) -> None:
            shown = printable(text) if one.place is None else text
            file.write(shown.encode())
            file.flush()

        yield write
