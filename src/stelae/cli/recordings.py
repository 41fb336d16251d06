"""Recordings that a command is given, and where their transcripts go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stelae.cli.made import format_of, place_of
from stelae.cli.transcripts import ENDS, Form
from stelae.errors import InvalidInput

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording.

    Attributes:
        file: As it was given.
        place: Where its transcript goes; ``None`` for stdout.
        form: The transcript's format.
    """

    file: str
    place: Path | None
    form: Form


def recordings_of(
    files: Sequence[str], output: str | None, asked: str | None, *, json: bool
) -> list[Recording]:
    """What is to be done, settled before anything is sent.

    Args:
        files: The recordings; ``-`` is stdin.
        output: A file, or a folder for the transcripts; ``None`` and ``-`` for stdout.
        asked: Format of the transcripts, by option.
        json: Whether stdout takes a document of JSON.

    Raises:
        InvalidInput: They do not fit each other.
    """
    if output is None or output == STDIN:
        _check_stdout(files, asked, json=json)
        form = format_of(None, asked, Form, Form.TEXT)
        return [Recording(file, None, form) for file in files]
    recordings = _placed(files, output, asked)
    _check_places(recordings)
    return recordings


def _placed(files: Sequence[str], output: str, asked: str | None) -> list[Recording]:
    place = Path(output)
    if len(files) == 1 and not (place.is_dir() or output.endswith("/")):
        form = format_of(place, asked, Form, Form.TEXT)
        return [Recording(files[0], place_of(place, "a transcript", "talk.txt"), form)]
    form = format_of(None, asked, Form, Form.TEXT)
    place.mkdir(parents=True, exist_ok=True)
    return [Recording(file, place / f"{_stem(file)}{ENDS[form]}", form) for file in files]


def _check_stdout(files: Sequence[str], asked: str | None, *, json: bool) -> None:
    if json and asked is not None:
        raise _wrong(f"--json and --format {asked} exclude each other on stdout")
    if asked in (Form.SRT, Form.VTT) and len(files) > 1:
        raise _wrong(f"--format {asked}: several recordings do not fit into one file")


def _check_places(recordings: Sequence[Recording]) -> None:
    given = {Path(one.file).resolve() for one in recordings if one.file != STDIN}
    taken: dict[Path, str] = {}
    for one in recordings:
        if one.place is None:
            continue
        if one.place.resolve() in given:
            raise _wrong(f"{one.place} is a recording; its transcript would replace it")
        if one.place in taken:
            both = f"{taken[one.place]} and {one.file}"
            raise _wrong(f"{both} would both be written to {one.place}")
        taken[one.place] = one.file


def _wrong(fault: str) -> InvalidInput:
    return InvalidInput(fault, param="output", hint="give a folder for the transcripts with -o")


def _stem(file: str) -> str:
    return "stdin" if file == STDIN else Path(file).stem
