"""Jobs of ``stelae embed`` without a server; as a program, one that kills its own process.

Usage: bulk_job.py KIND INPUT OUTPUT TEXTS [STAGE]

The process gets SIGKILL before text number TEXTS is encoded, or, with a STAGE, just
before the file of that name is moved to its place for the second time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from msgspec.structs import replace

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
from stelae.types import EmbeddingDtype, Ragged, Sparse
from stelae.vectors.quantize import quantize

WIDTH = 4
SHAPE = Shape(width=WIDTH, dtype="float32", model="fake", fingerprint="one")
SHAPES = {
    "dense": SHAPE,
    "int8": replace(SHAPE, dtype="int8", scaled=True),
    "ubinary": replace(SHAPE, width=1, dtype="uint8", scaled=True, dimensions=WIDTH),
    "sparse": replace(SHAPE, width=0, kind="sparse"),
    "multivector": replace(SHAPE, dtype="int8", scaled=True, kind="multivector"),
}


class Scripted:
    """An encoder that calls ``stop`` before the text number ``after``.

    Args:
        after: That number; ``None`` for no stop.
        kind: What it makes, one of ``SHAPES``.
    """

    def __init__(self, after: int | None = None, kind: str = "dense") -> None:
        self.after = after
        self.kind = kind
        self.seen: list[str] = []

    def stream(self, texts: Iterable[str]) -> Iterator[Encoding]:
        for number, text in enumerate(texts):
            if number == self.after:
                self.stop()
            self.seen.append(text)
            yield encoding(text, self.kind)

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def columns(text: str, kind: str) -> Columns:
    """What is made of a text: one dense vector, or a term or token vector for each word."""
    words = text.split()
    rows = np.stack([vector(word, WIDTH) for word in words])
    offsets = np.array([0, len(words)])
    if kind == "sparse":
        ids = np.arange(len(words), dtype=np.int32)
        return Columns(sparse=Sparse(indices=ids, values=rows[:, 0], offsets=offsets))
    if kind == "multivector":
        codes, read = quantize(rows, EmbeddingDtype.INT8)
        return Columns(multivector=Ragged(values=codes, offsets=offsets, quantization=read))
    dtype = EmbeddingDtype.FLOAT32 if kind == "dense" else EmbeddingDtype(kind)
    codes, read = quantize(vector(text, WIDTH)[None], dtype)
    return Columns(dense=codes, quantization=read)


def encoding(text: str, kind: str = "dense") -> Encoding:
    error = InvalidInput("told to fail") if text == "!bad" else None
    return Encoding(
        columns=columns(text, kind),
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
    job = jobs.start(plan(source, output), SHAPES[encoder.kind], Silent())
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
    if len(sys.argv) > 5:
        die_before_moving(sys.argv[5])
    run(sys.argv[2], Path(sys.argv[3]), Scripted(int(sys.argv[4]), sys.argv[1]))
