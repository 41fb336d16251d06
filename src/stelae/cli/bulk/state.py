"""The file beside an output that lets a killed run go on where it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from stelae.cli.bulk.rows import Shape
from stelae.cli.bulk.sink import Mark
from stelae.cli.bulk.source import Identity
from stelae.cli.options import EmbeddingDtypeName, OutputTypeName
from stelae.errors import Conflict

VERSION = 1
ANEW = "start anew with --no-resume, which replaces the output"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the command line that decides what the rows are."""

    model: str = "default"
    role: Literal["query", "document"] | None = None
    prompt_name: str | None = None
    instruction: str | None = None
    lora: str | None = None
    output_type: OutputTypeName = "dense"
    dimensions: int | None = None
    dtype: EmbeddingDtypeName = "float32"
    truncate: Literal["error", "end", "start"] = "end"
    input_format: str = "text"
    output_format: str = "jsonl"
    field: str = "text"
    id_field: str = "id"


class Counts(msgspec.Struct, kw_only=True):
    """What was done so far, over all runs of a job."""

    rows: int = 0
    failed: int = 0
    truncated: int = 0
    tokens: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A job at its last commit.

    Attributes:
        version: Of this format.
        input: Which input is read.
        options: What was asked for.
        shape: What the vectors look like, and what made them.
        counts: What is committed.
        digest: SHA-256 over the records of the committed rows.
        mark: How far the output's files are committed; ``None`` before they are made.
    """

    version: int = VERSION
    input: Identity
    options: Options
    shape: Shape
    counts: Counts
    digest: str
    mark: Mark | None


def state_path(output: Path) -> Path:
    """Where the state of an unfinished output lies."""
    return output.with_name(f"{output.name}.state.json")


def save(path: Path, state: State) -> None:
    """Write the state, whole or not at all, and durably."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> State | None:
    """Read a state; ``None`` if there is none.

    Raises:
        Conflict: It cannot be read, or another version of Stelae wrote it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Conflict(
            f"'{path}' is not a state this version can read: {error}", hint=ANEW
        ) from error


def check(state: State, input: Identity, options: Options, shape: Shape) -> None:
    """Refuse to go on with a job that is not the same.

    Raises:
        Conflict: Input, options or model differ from the run that wrote the state.
    """
    differences = [
        *_other_input(state.input, input),
        *_differing("--", state.options, options),
        *_differing("the model's ", state.shape, shape),
    ]
    if differences:
        raise Conflict(
            f"cannot resume after {state.counts.rows:,} items: {'; '.join(differences)}", hint=ANEW
        )


def _other_input(before: Identity, now: Identity) -> list[str]:
    if before.path != now.path:
        return [f"the input was {before.path!r} and is {now.path!r}"]
    return [] if before == now else [f"the input {now.path!r} was changed since"]


def _differing(kind: str, before: msgspec.Struct, now: msgspec.Struct) -> list[str]:
    return [
        f"{kind}{name.replace('_', '-')} was {old!r} and is {new!r}"
        for name in before.__struct_fields__
        if (old := getattr(before, name)) != (new := getattr(now, name))
    ]
