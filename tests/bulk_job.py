"""Jobs of ``stelae embed`` without a server; as a program, one that kills its own process.

Usage: bulk_job.py INPUT OUTPUT TEXTS [STAGE]

The process gets SIGKILL before text number TEXTS is encoded, or, with a STAGE, just
before the file of that name is moved to its place for the second time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from stelae.cli.bulk import job as jobs
from stelae.cli.bulk.progress import Silent
from stelae.cli.bulk.rows import Shape
from stelae.cli.bulk.sink import output_format
from stelae.cli.bulk.source import input_format, open_source
from stelae.cli.bulk.state import Options
from stelae.client import Encoding
from stelae.client._columns import Columns
from stelae.engines.fake.engine import vector
from stelae.errors import InvalidInput

WIDTH = 4
SHAPE = Shape(width=WIDTH, dtype="float32", model="fake", fingerprint="one")


class Scripted:
    """An encoder that calls ``stop`` before the text number ``after``."""

    def __init__(self, after: int | None = None) -> None:
        self.after = after
        self.seen: list[str] = []

    def stream(self, texts: Iterable[str]) -> Iterator[Encoding]:
        for number, text in enumerate(texts):
            if number == self.after:
                self.stop()
            self.seen.append(text)
            yield encoding(text)

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def encoding(text: str) -> Encoding:
    error = InvalidInput("told to fail") if text == "!bad" else None
    return Encoding(
        columns=Columns(dense=vector(text, WIDTH)[None]),
        tokens=len(text.split()),
        truncated=len(text.split()) > 3,
        model="fake",
        fingerprint="one",
        error=error,
    )


def plan(source: str, output: Path | None, *, resume: bool = True) -> jobs.Plan:
    kind = input_format(source, "auto")
    options = Options(input_format=kind, output_format=output_format(output, "auto"))
    return jobs.Plan(open_source(source, kind, "text", "id"), options, output, resume)


def run(source: str, output: Path, encoder: Scripted) -> jobs.Job:
    """Run a job to its end, committing after each block."""
    job = jobs.start(plan(source, output), SHAPE, Silent())
    job.sink.commit_seconds = 0.0
    try:
        job.run(encoder)
    finally:
        job.sink.close()
    return job


def die_before_moving(name: str) -> None:
    """Kill this process when it moves the file to its place for the second time."""
    move = Path.replace
    moved: list[Path] = []

    def replace(self: Path, target: Path) -> Path:
        if Path(target).name.endswith(name):
            moved.append(self)
            if len(moved) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        return move(self, target)

    Path.replace = replace  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    if len(sys.argv) > 4:
        die_before_moving(sys.argv[4])
    run(sys.argv[1], Path(sys.argv[2]), Scripted(int(sys.argv[3])))
