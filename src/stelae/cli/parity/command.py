"""``stelae verify``: ask the model and its reference library the same, and compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from stelae.catalog.clap import hears_at
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.cli import fetching, pictures, reach, samples, sounds
from stelae.cli.needs import need
from stelae.cli.output import Output
from stelae.cli.parity.ask import Loaded, Served, Side, ask
from stelae.cli.parity.compare import compare, tolerance_of
from stelae.cli.parity.expected import Bench, Expected, expect, steady
from stelae.cli.parity.report import Report, Row, tell
from stelae.cli.parity.values import Group, Rows, Samples
from stelae.engines import registry
from stelae.engines.base import AnyBatchEngine, EngineOptions
from stelae.errors import InvalidInput, NoReference
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, ModelInfo

QUERIES = 4
"""Different queries among the pairs."""

RANDOM = "the library fills in weights that the checkpoint lacks at random, so it is no reference"

NOTHING = "vectors and scores are compared, and it makes neither vectors nor scores"

FOUND = "{nothing}; what it finds is made by the engine {engine}, by way of {libraries} itself"

AskAll = Callable[[Side], list[Rows | None]]
"""Has a side make all that there is a reference for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae verify``."""

    model: str
    samples: int
    against: str
    engine: str | None
    dtype: str | None
    server: str | None
    served_as: str
    config: Path | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What the model made.

    Attributes:
        engine: Who ran it.
        dtype: Number format it computed in.
        fingerprint: Identifies what ran.
        rows: What it made for each probe that has a reference.
    """

    engine: str
    dtype: str
    fingerprint: str
    rows: list[Rows | None]


def run(request: Request, out: Output) -> int:
    """Compare everything that a model makes, and print how far apart it is.

    Returns:
        The exit code: ``OK`` if everything was compared and agrees, ``FAILURE`` if anything
        is apart, ``NOT_COMPARED`` if what was compared agrees, and something was not.

    Raises:
        ModelNotFound: There is no such model.
        MissingDependency: The reference library is not installed.
        NoReference: The library makes none of it.
        InvalidInput: The server has another model under the name.
    """
    need("stelae verify", "sentence_transformers", "torch", extra="server")
    catalog = fetching.catalog_of(request.config)
    entry = catalog.register_argument(request.model)
    spec, _ = fetching.read(catalog, entry, out)
    bench = Bench(
        spec=spec,
        samples=samples_of(request.samples, spec.max_tokens, hears_at(spec)),
        longest=entry.max_tokens,
    )
    check(request, entry, spec)
    expected = expect(bench)
    if all(one.rows is None for one in expected):
        reasons = "; ".join(dict.fromkeys(one.missing for one in expected))
        raise NoReference(reasons or f"model {spec.name!r} has no reference: {_nothing(spec)}")
    make = serve if request.server is not None else load
    made = make(request, entry, spec, partial(asked, expected, bench.samples))
    report = Report(
        model=spec.name,
        engine=made.engine,
        dtype=made.dtype,
        fingerprint=made.fingerprint,
        samples=bench.samples,
        rows=[judged(bench, made.dtype, *pair) for pair in zip(expected, made.rows, strict=True)],
    )
    tell(report, out)
    return report.code


def _nothing(spec: ModelSpec) -> str:
    """Why nothing of a model is compared that makes no numbers."""
    if spec.extraction is None:
        return NOTHING
    manifest = registry.choose(spec).manifest
    libraries = ", ".join(need.module for need in manifest.needs)
    return FOUND.format(nothing=NOTHING, engine=manifest.name, libraries=libraries)


def samples_of(count: int, longest: int, rate: int) -> Samples:
    """The texts, and the same texts as documents of a few queries; pictures and recordings.

    Args:
        count: How many texts.
        longest: Tokens that the model reads.
        rate: Samples per second of the recordings.
    """
    texts = samples.varied(count, longest)
    queries = [*samples.plain(QUERIES - 2, "short"), *samples.ODD[8:9], "word " * longest]
    groups = [
        Group(query=query, documents=texts[start::QUERIES])
        for start, query in enumerate(queries)
        if texts[start::QUERIES]
    ]
    images, heard = pictures.varied(), sounds.varied(rate)
    return Samples(texts=texts, groups=groups, images=images, sounds=heard)


def check(request: Request, entry: ModelEntry, spec: ModelSpec) -> None:
    """Find out early that there is nothing to verify.

    Raises:
        InvalidInput: The server has another model under the name.
        UnsupportedCheckpoint: No engine serves it.
    """
    if request.server is None:
        registry.choose(spec, request.engine or entry.engine)
        return
    with reach.connect(request.server, request.key) as client:
        info = client.model(request.served_as)
    if info.outputs != spec.outputs:
        raise InvalidInput(
            f"{request.served_as!r} on {request.server} makes {_made_by(info)}, the checkpoint "
            f"{_made_by(spec)}: these are different models"
        )


def _made_by(model: ModelInfo | ModelSpec) -> str:
    return ", ".join(model.outputs) or "scores"


def load(request: Request, entry: ModelEntry, spec: ModelSpec, ask_all: AskAll) -> Made:
    """The model loaded in this process."""
    choice = registry.choose(spec, request.engine or entry.engine)
    dtype = ComputeDtype(request.dtype or entry.dtype)
    choice, engine = registry.load_chosen(choice, spec, EngineOptions(dtype=dtype))
    # What makes vectors or scores answers in batches.
    runner = Runner(cast("AnyBatchEngine", engine))
    try:
        rows = ask_all(Loaded(runner, spec.name))
        info = runner.engine.info
    finally:
        runner.close()
    return Made(
        engine=choice.manifest.name, dtype=info.dtype, fingerprint=info.fingerprint, rows=rows
    )


def serve(request: Request, entry: ModelEntry, spec: ModelSpec, ask_all: AskAll) -> Made:
    """The model as a server has it."""
    del entry, spec
    with reach.connect(request.server, request.key, timeout=600.0) as client:
        rows = ask_all(Served(client, request.served_as))
        info = client.model(request.served_as)
    return Made(
        engine=f"{info.engine} at {request.server}",
        dtype=info.dtype,
        fingerprint=info.fingerprint,
        rows=rows,
    )


def asked(expected: list[Expected], texts: Samples, side: Side) -> list[Rows | None]:
    """What a side makes of all that there is a reference for."""
    return [None if one.rows is None else ask(side, one.probe, texts) for one in expected]


def judged(bench: Bench, dtype: str, expected: Expected, ours: Rows | None) -> Row:
    """A line of the table.

    Raises:
        InvalidInput: No tolerance is agreed for the number format, or the vectors do
            not even have the same width.
    """
    kind = expected.probe.kind
    tolerance = tolerance_of(kind, dtype, unit=bench.spec.normalized)
    if expected.rows is None or ours is None:
        return Row(probe=expected.probe, tolerance=tolerance, reason=expected.missing)
    verdict = compare(kind, ours, expected.rows, tolerance)
    if not verdict.ok and not steady(bench, expected):
        return Row(probe=expected.probe, tolerance=tolerance, reason=RANDOM)
    return Row(
        probe=expected.probe, tolerance=tolerance, reference=expected.reference, verdict=verdict
    )
