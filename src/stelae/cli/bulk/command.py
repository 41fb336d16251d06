"""``stelae embed`` from its options to its last line."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import typer

from stelae.cli import exits, reach
from stelae.cli.bulk.encoder import ClientEncoder
from stelae.cli.bulk.job import Job, Plan, start
from stelae.cli.bulk.npy import errors_path
from stelae.cli.bulk.progress import meter
from stelae.cli.bulk.sink import output_format
from stelae.cli.bulk.source import STDIN, input_format, open_source
from stelae.cli.bulk.state import Counts, Options
from stelae.cli.output import Output
from stelae.client import Client
from stelae.client import EncodeOptions as ClientOptions
from stelae.errors import InvalidInput, StelaeError

TIMEOUT = 600.0
"""Seconds for one request: a first one may wait for a model to be fetched and loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae embed``."""

    file: str
    output: Path | None
    options: Options
    server: str | None
    key: str | None
    local: bool
    batch_size: int | None
    resume: bool
    progress: bool | None
    json: bool
    quiet: bool


def run(request: Request) -> None:
    """Embed a file.

    Raises:
        StelaeError: Nothing was done, or the run can be continued.
        typer.Exit: 1 if items failed.
    """
    plan = make_plan(request)
    out = Output(json=request.json, quiet=request.quiet)
    began = time.monotonic()
    with reached(request) as client, closing(meter(request.progress, quiet=out.quiet)) as gauge:
        encoder = ClientEncoder(client, client_options(request), request.options.output_type)
        job = start(plan, encoder.shape(), gauge, encoder.item_bytes())
        before = job.counts.rows
        if before:
            out.note(f"resuming after {before:,} items")
        finish(job, encoder, out)
    report(request, job, before, time.monotonic() - began, out)
    if job.counts.failed:
        exits.tell(f"{job.counts.failed:,} of {job.counts.rows:,} items failed", where(job))
        raise typer.Exit(exits.FAILURE)


def finish(job: Job, encoder: ClientEncoder, out: Output) -> None:
    """Run a job to its end; say how to go on if it is not reached."""
    try:
        job.run(encoder)
    except (StelaeError, KeyboardInterrupt):
        if job.plan.output is not None:
            out.note(f"stopped after {job.committed:,} items; the same command goes on from there")
        raise
    finally:
        job.sink.close()


def make_plan(request: Request) -> Plan:
    """Settle formats and open the input.

    Raises:
        InvalidInput: The options do not fit each other, or the input cannot be read.
    """
    written = output_format(request.output, request.options.output_format)
    if request.output is None and written != "jsonl":
        raise InvalidInput(
            f"--output-format {written}: only JSONL can go to stdout",
            param="output_format",
            hint=f"give a file with -o OUT.{written}",
        )
    if request.options.output_type != "dense" and written == "npy":
        raise InvalidInput(
            f"--output-type {request.options.output_type}: {written} holds one vector a row",
            param="output_type",
            hint="give a file with -o OUT.parquet or -o OUT.jsonl",
        )
    options = msgspec.structs.replace(
        request.options,
        input_format=input_format(request.file, request.options.input_format),
        output_format=written,
    )
    if request.file == STDIN and sys.stdin.isatty() and not request.quiet:
        sys.stderr.write("reading items from the terminal, one a line; Ctrl-D ends\n")
    source = open_source(request.file, options.input_format, options.field, options.id_field)
    return Plan(source=source, options=options, output=request.output, resume=request.resume)


def reached(request: Request) -> Client:
    """The client of the server, or of a model in this process."""
    if request.local:
        from stelae.local import local

        return local(request.options.model)
    with reach.connect(request.server, request.key, timeout=10.0) as once:
        once.server()  # a server that is not there is told now, not after many attempts
    return reach.connect(request.server, request.key, timeout=TIMEOUT, retries=reach.PATIENT)


def client_options(request: Request) -> ClientOptions:
    """The options of each request to the client."""
    asked = request.options
    return {
        "model": None if request.local else asked.model,
        "role": asked.role,
        "prompt_name": asked.prompt_name,
        "instruction": asked.instruction,
        "lora": asked.lora,
        "dimensions": asked.dimensions,
        "dtype": asked.dtype,
        "truncate": asked.truncate,
        "batch_size": request.batch_size,
    }


def report(request: Request, job: Job, before: int, seconds: float, out: Output) -> None:
    """Say what was done: on stderr, or as JSON on stdout if no rows went there."""
    counts = job.counts
    if request.json and request.output is not None:
        out.document(summary(request, job, seconds))
    rate = (counts.rows - before) / max(seconds, 1e-9)
    width = dimensions(job)
    kind = f"{width} dimensions" if width else "sparse"
    to = f" to {request.output}" if request.output else ""
    out.note(
        f"embedded {counts.rows:,} item{'' if counts.rows == 1 else 's'}{to}: "
        f"{counts.tokens:,} tokens, "
        f"{kind}, {seconds:.1f} s, {rate:,.0f} items/s"
    )
    if counts.truncated:
        out.warn(cut(counts, request.options.truncate))


def summary(request: Request, job: Job, seconds: float) -> dict[str, Any]:
    """What was done, for programs."""
    return {
        "output": str(request.output),
        **msgspec.structs.asdict(job.counts),
        "dimensions": dimensions(job),
        "dtype": job.plan.options.dtype,
        "model": job.shape.model,
        "fingerprint": job.shape.fingerprint,
        "seconds": round(seconds, 3),
    }


def dimensions(job: Job) -> int:
    """Numbers that each vector stands for; 0 for terms."""
    return job.shape.dimensions or job.shape.width


def cut(counts: Counts, side: str) -> str:
    """The warning about truncated items."""
    return (
        f"{counts.truncated:,} of {counts.rows:,} items were longer than the model reads and were "
        f"cut at the {side}; they are marked, and --truncate error refuses them"
    )


def where(job: Job) -> str:
    """Where failed items are found."""
    if job.plan.output is not None and job.plan.options.output_format == "npy":
        return f"they are listed in {errors_path(job.plan.output)}"
    return "their rows have null for the vector, and the error"
