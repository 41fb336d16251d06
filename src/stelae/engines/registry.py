"""Which engines exist, which one takes a model, and how to load it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import cast

from stelae.catalog.spec import ModelSpec
from stelae.engines import encoder, fake, sentence_transformers, transformers
from stelae.engines.base import AnyEngine, EngineManifest, EngineOptions
from stelae.engines.hardware import bound_onednn, calm_openmp
from stelae.errors import InvalidInput, MissingDependency, UnsupportedCheckpoint

BUILT_IN = (
    encoder.MANIFEST,
    transformers.MANIFEST,
    sentence_transformers.MANIFEST,
    fake.MANIFEST,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine for a model, and why."""

    manifest: EngineManifest
    reason: str


def manifests() -> dict[str, EngineManifest]:
    """All engines by name: built in, and brought by entry points ``stelae.engines``."""
    found = {m.name: m for m in BUILT_IN}
    for point in entry_points(group="stelae.engines"):
        manifest = cast("EngineManifest", point.load())
        found[manifest.name] = manifest
    return found


def missing(manifest: EngineManifest) -> MissingDependency | None:
    """The first package that the engine needs and this machine lacks."""
    for need in manifest.needs:
        if find_spec(need.module) is None:
            return MissingDependency(
                f"engine '{manifest.name}' needs the package '{need.module}'",
                hint=f"pip install 'stelae[{need.extra}]'",
            )
    return None


def choose(spec: ModelSpec, wanted: str | None = None) -> Choice:
    """Pick the engine that serves a model.

    Args:
        spec: The model.
        wanted: Name of an engine to use and no other.

    Returns:
        The engine of highest preference that accepts the model, with the reasons
        for which better ones were passed over.

    Raises:
        InvalidInput: ``wanted`` is not an engine.
        MissingDependency: The wanted engine lacks a package.
        UnsupportedCheckpoint: No engine takes the model; the message says why.
    """
    known = manifests()
    if wanted is not None:
        if wanted not in known:
            raise InvalidInput(
                f"engine={wanted!r}: no such engine; known are {', '.join(sorted(known))}",
                param="engine",
            )
        candidates = [known[wanted]]
    else:
        candidates = sorted(
            (m for m in known.values() if m.preference > 0), key=lambda m: -m.preference
        )
    refusals: list[str] = []
    lacking: MissingDependency | None = None
    for manifest in candidates:
        refusal = manifest.refuses(spec)
        if refusal is None and (lack := missing(manifest)) is not None:
            lacking, refusal = lacking or lack, str(lack)
        if refusal is None:
            reason = "asked for" if wanted else "; ".join(refusals) or "preferred"
            return Choice(manifest, reason)
        refusals.append(f"{manifest.name}: {refusal}")
    if lacking is not None:
        raise lacking
    raise UnsupportedCheckpoint(f"model '{spec.name}': no engine serves it: {'; '.join(refusals)}")


def load(manifest: EngineManifest, spec: ModelSpec, options: EngineOptions) -> AnyEngine:
    """Load a model; imports the engine's heavy modules here and nowhere else."""
    calm_openmp()
    bound_onednn()
    module, _, function = manifest.load.partition(":")
    return cast("AnyEngine", getattr(import_module(module), function)(spec, options))
