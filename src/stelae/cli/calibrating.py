"""``stelae calibrate``: reading texts, a bar, and the figures as people read them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from stelae.cli import fetching
from stelae.cli.bulk.source import input_format, open_source
from stelae.cli.needs import need
from stelae.cli.output import Output, console
from stelae.engines.base import EngineOptions
from stelae.engines.calibration import (
    Calibration,
    Figures,
    Step,
    Wanted,
    calibrate,
    see_writable,
)

MOST = 100_000
"""Texts that are read, of which some are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae calibrate``."""

    model: str
    texts: str
    input_format: str
    field: str
    cosine: float
    output: Path | None
    config: Path | None
    progress: bool | None


def run(request: Request, out: Output) -> None:
    """Calibrate and print what was measured.

    Raises:
        ModelNotFound: There is no such model.
        InvalidInput: The texts cannot be read, or are too few; the output cannot be written.
        UnsupportedTask: The model or its engine has no int8.
        ModelLoadFailed: The processor cannot, or int8 does not come near enough.
    """
    need("stelae calibrate", "torch", "tokenizers", extra="server")
    if request.output is not None:
        see_writable(request.output)  # before a model is fetched for it
    texts = read(request, out)
    catalog = fetching.catalog_of(request.config)
    entry = catalog.register_argument(request.model)
    spec, choice = fetching.read(catalog, entry, out)
    wanted = Wanted(texts=texts, cosine=request.cosine, file=request.output)
    with _shown(out, request.progress) as step:
        found = calibrate(spec, choice.manifest, EngineOptions(), wanted, step)
    if out.json:
        out.document(msgspec.to_builtins(found))
        return
    out.table([_row(found.int8), _row(found.plain)], list(_row(found.int8)))
    out.line("")
    out.facts(facts(found))


def read(request: Request, out: Output) -> list[str]:
    """The texts of the file; those that cannot be read are counted on stderr.

    Raises:
        InvalidInput: It is no such file.
    """
    kind = input_format(request.texts, request.input_format)
    source = open_source(request.texts, kind, request.field, "id")
    records = list(islice(source, MOST))
    texts = [record.text for record in records if record.text is not None]
    if len(texts) < len(records):
        first = next(record.error for record in records if record.error is not None)
        out.warn(f"{len(records) - len(texts)} texts cannot be read: {first.message}")
    return texts


def facts(found: Calibration) -> dict[str, Any]:
    """What people should know beside the figures."""
    return {
        "int8": f"{found.gain:.2f} times the tokens/s of {found.plain.dtype}",
        "layers in int8": f"{found.layers} of {found.layers + len(found.kept)}",
        "left out": list(found.kept),
        "texts": f"{found.seen} learnt from, {found.held_out} others measured on",
        "file": found.file,
    }


def _row(figures: Figures) -> dict[str, str]:
    return {
        "dtype": figures.dtype,
        "mean cosine": f"{figures.mean_cosine:.5f}",
        "least cosine": f"{figures.least_cosine:.5f}",
        "same neighbours": f"{figures.neighbours:.1%}",
        "tokens/s": f"{figures.tokens_per_s:,.0f}",
    }


@contextmanager
def _shown(out: Output, wanted: bool | None) -> Iterator[Step]:
    if not out.gauged(wanted):
        yield lambda what, done: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("loading", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)
