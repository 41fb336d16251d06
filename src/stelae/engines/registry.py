"""Which engines exist, which one takes a model, and how to load it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import PurePath
from typing import cast

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines import (
    clap,
    detection,
    diffusers,
    documents,
    encoder,
    fake,
    fake_media,
    fake_text,
    gliclass,
    gliner,
    llama_cpp,
    openvino,
    sentence_transformers,
    speech,
    transformers,
    transformers_text,
    vllm,
    whisper,
    whisper_ct2,
)
from stelae.engines.base import AnyEngine, EngineManifest, EngineOptions, StreamEngine, WeightFormat
from stelae.engines.importing import function_of
from stelae.errors import InvalidInput, MissingDependency, ModelLoadFailed, UnsupportedCheckpoint

BUILT_IN = (
    encoder.MANIFEST,
    transformers.MANIFEST,
    clap.MANIFEST,
    sentence_transformers.MANIFEST,
    gliclass.MANIFEST,
    gliner.MANIFEST,
    detection.MANIFEST,
    documents.MANIFEST,
    diffusers.MANIFEST,
    speech.MANIFEST,
    fake.MANIFEST,
    fake.NULL,
    fake_text.MANIFEST,
    fake_media.MANIFEST,
    transformers_text.MANIFEST,
    llama_cpp.MANIFEST,
    openvino.MANIFEST,
    vllm.MANIFEST,
    whisper_ct2.MANIFEST,
    whisper.MANIFEST,
)


FORMATS = {
    ".gguf": WeightFormat.GGUF,
    ".xml": WeightFormat.OPENVINO,
    ".bin": WeightFormat.TORCH,
    ".pt": WeightFormat.TORCH,
}
"""Formats by how the names of files end."""

PREFERRED = "preferred"
"""The reason for an engine before which none was passed over."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine for a model, and why.

    Attributes:
        manifest: The engine.
        reason: Why that one.
        others: Those that take its place, in order, where it finds only on loading
            that it cannot serve the model; none where a person chose.
    """

    manifest: EngineManifest
    reason: str
    others: tuple[EngineManifest, ...] = ()


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
        for which better ones were passed over that serve such models at all.

    Raises:
        InvalidInput: ``wanted`` is not an engine.
        MissingDependency: The wanted engine lacks a package.
        UnsupportedCheckpoint: No engine takes the model; the message says why.
    """
    if wanted is not None:
        return _asked_for(spec, wanted)
    refusals: list[str] = []
    reasons: list[str] = []
    lacking: MissingDependency | None = None
    able: list[EngineManifest] = []
    for manifest in by_preference():
        refusal, telling = refused(manifest, spec), _may_serve(manifest, spec)
        if refusal is None and (lack := missing(manifest)) is not None:
            lacking, refusal, telling = lacking or lack, str(lack), True
        if refusal is None:
            able.append(manifest)
            continue
        refusals.append(f"{manifest.name}: {refusal}")
        if telling and not able:
            reasons.append(refusals[-1])
    if able:
        return Choice(able[0], "; ".join(reasons) or PREFERRED, tuple(able[1:]))
    if lacking is not None:
        raise lacking
    raise _no_engine(spec, refusals)


def refused(manifest: EngineManifest, spec: ModelSpec) -> str | None:
    """Why an engine cannot serve a model, or ``None`` if it can."""
    if manifest.tasks.isdisjoint(spec.tasks):
        return f"it cannot {' or '.join(spec.tasks)}"
    if (form := format_of(spec)) not in manifest.formats:
        return f"it reads no weights of the format {form}"
    return manifest.refuses(spec)


def format_of(spec: ModelSpec) -> WeightFormat:
    """The format of a model's weights."""
    trunk = spec.backbone
    name = next(iter(trunk.weights), "") if isinstance(trunk, Backbone) else trunk.weights
    return FORMATS.get(PurePath(name).suffix, WeightFormat.SAFETENSORS)


def _may_serve(manifest: EngineManifest, spec: ModelSpec) -> bool:
    """Whether it tells something of the model that the engine does not serve it."""
    return not (manifest.special or manifest.tasks.isdisjoint(spec.tasks))


def by_preference() -> list[EngineManifest]:
    """Engines that serve those who name none, the best first."""
    candidates = (m for m in manifests().values() if m.preference > 0)
    return sorted(candidates, key=lambda m: -m.preference)


def _asked_for(spec: ModelSpec, name: str) -> Choice:
    known = manifests()
    if name not in known:
        raise InvalidInput(
            f"engine={name!r}: no such engine; known are {', '.join(sorted(known))}",
            param="engine",
        )
    if (refusal := refused(known[name], spec)) is not None:
        raise _no_engine(spec, [f"{name}: {refusal}"])
    if (lack := missing(known[name])) is not None:
        raise lack
    return Choice(known[name], "asked for")


def _no_engine(spec: ModelSpec, refusals: list[str]) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(f"model '{spec.name}': no engine serves it: {'; '.join(refusals)}")


def load(manifest: EngineManifest, spec: ModelSpec, options: EngineOptions) -> AnyEngine:
    """Load a model; imports the engine's heavy modules here and nowhere else.

    Raises:
        UnsupportedCheckpoint: The engine does not compute in the format asked for.
        StelaeError: The model cannot be loaded for another reason.
    """
    if options.dtype not in manifest.dtypes:
        raise UnsupportedCheckpoint(
            f"dtype={options.dtype}: engine '{manifest.name}' computes in "
            f"{', '.join(sorted(manifest.dtypes))}"
        )
    engine = cast("AnyEngine", function_of(manifest.load)(spec, options))
    if spec.generation is None or not isinstance(engine, StreamEngine):
        return engine
    from stelae.engines.chat.reading import Reading

    return Reading(engine, spec.generation)


def load_chosen(
    choice: Choice, spec: ModelSpec, options: EngineOptions
) -> tuple[Choice, AnyEngine]:
    """Load a model with the engine chosen for it, or with the next that can.

    What an engine makes of a checkpoint's options shows only where its heavy
    modules are imported, so it may refuse them as late as here.

    Args:
        choice: The engine, and those that may take its place.
        spec: The model.
        options: How to load it.

    Returns:
        The engine that serves the model, with the reasons for which others were
        passed over; and the model, loaded.

    Raises:
        UnsupportedCheckpoint: None of them can; the message says why of each.
        StelaeError: The model cannot be loaded for another reason.
    """
    refusals = [] if choice.reason == PREFERRED else [choice.reason]
    refused = False
    for manifest in (choice.manifest, *choice.others):
        try:
            engine = load(manifest, spec, options)
        except ModelLoadFailed as error:
            refused = refused or isinstance(error, UnsupportedCheckpoint)
            if not (refused and choice.others):
                raise
            refusals.append(f"{manifest.name}: {error.message}")
        else:
            return Choice(manifest, "; ".join(refusals) or PREFERRED), engine
    raise _no_engine(spec, refusals)
