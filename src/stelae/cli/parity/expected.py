"""What the reference library makes of a checkpoint, kind by kind and side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from stelae.catalog.spec import ModelSpec
from stelae.cli.parity.ask import Library, ask
from stelae.cli.parity.compare import EXACT, compare
from stelae.cli.parity.values import Kind, Probe, Rows, Samples
from stelae.engines.hardware import bound_onednn, calm_openmp
from stelae.engines.text.options import role_prompt
from stelae.errors import NoReference
from stelae.types import Modality, OutputType, Role


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a model should make.

    Attributes:
        probe: What was asked.
        rows: What the reference made; ``None`` if there is none.
        reference: Who made it.
        missing: Why there is none.
    """

    probe: Probe
    rows: Rows | None = None
    reference: str = ""
    missing: str = ""


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and what it is asked.

    Attributes:
        spec: The model.
        longest: Tokens it may read, if a person asked for fewer than the checkpoint says.
        samples: Texts and pairs.
    """

    spec: ModelSpec
    samples: Samples
    longest: int | None = None


def expect(bench: Bench) -> list[Expected]:
    """What the library makes for each kind of output that the model is said to have.

    One model of the library is loaded at a time.
    """
    spec = bench.spec
    outputs: list[OutputType | None] = list(spec.outputs)
    if spec.scoring is not None:
        outputs.append(None)
    return [one for output in outputs for one in _expect(bench, output)]


def _expect(bench: Bench, output: OutputType | None) -> Iterator[Expected]:
    try:
        reference = load(bench, output)
    except NoReference as error:
        yield Expected(probe=Probe(Kind(output or Kind.SCORES)), missing=error.message)
        return
    for probe in probes(bench.spec, output, reference):
        rows = ask(Library(reference), probe, bench.samples)
        yield _made(probe, rows, reference.name)


def _made(probe: Probe, rows: Rows, name: str) -> Expected:
    if all(value is None for value in rows.values):
        asked = probe.medium or Modality.TEXT
        return Expected(probe=probe, missing=f"{name} makes nothing of any {asked}")
    return Expected(probe=probe, rows=rows, reference=name)


def load(bench: Bench, output: OutputType | None, seed: int = 0) -> Any:
    """The model as the library reads it.

    Raises:
        NoReference: It does not read it.
    """
    calm_openmp()
    bound_onednn()
    # It imports the library, which only this command needs.
    from stelae.engines.references.choice import load_reference

    return load_reference(bench.spec, output, longest=bench.longest, seed=seed)


def probes(spec: ModelSpec, output: OutputType | None, reference: Any) -> list[Probe]:
    """What is asked about an output: both sides, if we or the library tell them apart."""
    if output is None:
        activated = spec.scoring is not None and spec.scoring.activation != "Identity"
        return [Probe(Kind.SCORES), *([Probe(Kind.LOGITS)] if activated else [])]
    if spec.vision is not None or Modality.AUDIO in spec.inputs:
        return [Probe(Kind(output.value), medium=medium) for medium in spec.inputs]
    pages = [Probe(Kind(output.value), medium=Modality.IMAGE)]
    roles: list[Role | None] = [None]
    if reference.two_sided or two_sided(spec):
        prompted = reference.prompted or spec.default_prompt is not None
        roles = [Role.QUERY, Role.DOCUMENT, *([None] if prompted else [])]
    texts = [Probe(Kind(output.value), role) for role in roles]
    return texts + (pages if Modality.IMAGE in spec.inputs else [])


def two_sided(spec: ModelSpec) -> bool:
    """Whether we read queries and documents differently."""
    prompted = any(role_prompt(spec, role, None) for role in Role)
    return prompted or any(chain.role is not None for chain in spec.chains)


def steady(bench: Bench, expected: Expected) -> bool:
    """Whether the library makes the same numbers again after it is loaded anew.

    If a checkpoint lacks weights, the library makes them up at random; what it gives
    is then no reference.
    """
    if expected.rows is None:
        return False
    kind = expected.probe.kind
    again = ask(Library(load(bench, kind.output, seed=1)), expected.probe, bench.samples)
    return compare(kind, again, expected.rows, EXACT).ok
