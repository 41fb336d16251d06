"""``stelae transcribe`` from its options to its last line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stelae.cli import exits, reach
from stelae.cli.made import format_of, whole
from stelae.cli.output import Output, printable
from stelae.cli.transcripts import ENDS, Form, facts, writer_of
from stelae.client import Client, TranscribeOptions, Transcript
from stelae.client._hearing import Position
from stelae.client._progress import gauge
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidInput,
    ModelLoadFailed,
    StelaeError,
    UnsupportedTask,
)
from stelae.types import TranscribePiece

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae transcribe``."""

    files: Sequence[str]
    model: str
    output: Path | None
    format: str | None
    options: TranscribeOptions
    server: str | None
    key: str | None
    local: bool
    progress: bool | None


@dataclass(frozen=True, slots=True)
class Task:
    """One recording.

    Attributes:
        file: As it was given.
        place: Where its transcript goes; ``None`` for stdout.
        form: The transcript's format.
    """

    file: str
    place: Path | None
    form: Form


def run(request: Request, out: Output) -> bool:
    """Write down what is said in all recordings.

    Returns:
        Whether none of them failed.

    Raises:
        InvalidInput: The options do not fit each other, or the model cannot do what is asked.
        StelaeError: It failed for a reason that all recordings share.
    """
    tasks = tasks_of(request, out)
    where = (request.server, request.key)
    with reach.either(request.model, *where, local=request.local, timeout=None) as client:
        told = [_done(client, request, task, out) for task in tasks]
    if out.json:
        out.document(told)
    return not any("error" in one for one in told)


def tasks_of(request: Request, out: Output) -> list[Task]:
    """What is to be done, settled before anything is sent.

    Raises:
        InvalidInput: The options do not fit each other.
    """
    output = None if str(request.output) == STDIN else request.output
    if output is None:
        _check_stdout(request, out)
        form = format_of(None, request.format, Form, Form.TEXT)
        return [Task(file, None, form) for file in request.files]
    if len(request.files) == 1 and not output.is_dir():
        form = format_of(output, request.format, Form, Form.TEXT)
        tasks = [Task(request.files[0], output, form)]
    else:
        form = format_of(None, request.format, Form, Form.TEXT)
        tasks = [Task(file, output / f"{_stem(file)}{ENDS[form]}", form) for file in request.files]
    _check_places(tasks)
    if tasks[0].place is not None:
        tasks[0].place.parent.mkdir(parents=True, exist_ok=True)
    return tasks


def _check_stdout(request: Request, out: Output) -> None:
    if out.json and request.format is not None:
        raise _wrong(f"--json and --format {request.format} exclude each other on stdout")
    if request.format in (Form.SRT, Form.VTT) and len(request.files) > 1:
        raise _wrong(f"--format {request.format}: several recordings do not fit into one file")


def _check_places(tasks: Sequence[Task]) -> None:
    given = {Path(task.file).resolve() for task in tasks if task.file != STDIN}
    taken: dict[Path, str] = {}
    for task in tasks:
        if task.place is None:
            continue
        if task.place.resolve() in given:
            raise _wrong(f"{task.place} is a recording; its transcript would replace it")
        if task.place in taken:
            both = f"{taken[task.place]} and {task.file}"
            raise _wrong(f"{both} would both be written to {task.place}")
        taken[task.place] = task.file


def _wrong(fault: str) -> InvalidInput:
    return InvalidInput(fault, param="output", hint="give a folder for the transcripts with -o")


def _stem(file: str) -> str:
    return "stdin" if file == STDIN else Path(file).stem


def _done(client: Client, request: Request, task: Task, out: Output) -> dict[str, Any]:
    """What came of one recording, for programs; a failure of its own is told."""
    began = time.monotonic()
    try:
        transcript = _heard(client, request, task, out)
    except StelaeError as error:
        if not is_own(error):
            raise
        exits.tell(f"{task.file}: {error.message}", error.hint)
        return {"file": task.file, "error": {"code": error.code, "message": error.message}}
    length, took = transcript.duration or 0.0, time.monotonic() - began
    to = f" to {task.place}" if task.place else ""
    out.note(f"{task.file}{to}: {length:.1f} s of sound ({transcript.language}) in {took:.1f} s")
    return facts(task.file, task.place, transcript)


def is_own(error: StelaeError) -> bool:
    """Whether an error is about one recording, and not about all."""
    match error:
        case ModelLoadFailed() | UnsupportedTask():
            return False
        case InvalidInput():
            return error.param in (None, "audio")
        case _:
            return isinstance(error, EngineFailed | DeadlineExceeded)


def _heard(client: Client, request: Request, task: Task, out: Output) -> Transcript:
    audio = _read(task.file)
    pieces: list[TranscribePiece] = []
    position = Position()
    model = None if request.local else request.model
    made = client.stream_transcribe(audio, model=model, **request.options)
    titled = task.place is None and len(request.files) > 1
    writer = writer_of(task.form, task.file, titled=titled)
    live = task.place is None and not out.json and sys.stdout.isatty()
    bar = out.gauged(request.progress) and not live
    with closing(made), _sink(task, out) as write, gauge(bar, task.file, "seconds") as tell:
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
def _sink(task: Task, out: Output) -> Iterator[Callable[[str], None]]:
    """Takes a transcript, part by part; what goes to stdout is seen at once."""
    if task.place is None and out.json:
        yield lambda text: None
        return
    with whole(task.place) as file:

        def write(text: str) -> None:
            shown = printable(text) if task.place is None else text
            file.write(shown.encode())
            file.flush()

        yield write
