"""Which engines serve which variants of a model, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import EngineManifest, WeightFormat
from stelae.types import Card, EngineFit, Task, Variant

FORMATS: dict[str, frozenset[WeightFormat]] = {
    "pytorch": frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    "ggufv2": frozenset({WeightFormat.GGUF}),
}
"""How weights of a variant may be stored; those of other formats are quantised."""

TASKS: dict[str, frozenset[Task]] = {
    "llm": frozenset({Task.CHAT}),
    "embedding": frozenset({Task.ENCODE}),
    "rerank": frozenset({Task.SCORE}),
    "extract": frozenset({Task.EXTRACT}),
    "image": frozenset({Task.IMAGE}),
}
"""What an engine does with the models of a kind; those for sound are told by their abilities."""

UNREAD = "it reads no such weights"

HEARD = frozenset({"transcribe", "translate"})


def fits(card: Card, specs: Mapping[Variant, ModelSpec]) -> list[EngineFit]:
    """What each engine makes of a model; engines for other kinds of models are left out.

    Args:
        card: The model's facts.
        specs: What those of its variants are whose files are on this machine.

    Returns:
        The engines in the order in which they are tried.
    """
    tasks = tasks_of(card)
    able = [each for each in registry.by_preference() if not each.tasks.isdisjoint(tasks)]
    return [_fit(manifest, card, specs) for manifest in able]


def tasks_of(card: Card) -> frozenset[Task]:
    """What an engine does with a model."""
    if card.kind != "audio":
        return TASKS[card.kind]
    hears, speaks = HEARD & {*card.abilities}, Task.SPEAK in card.abilities
    found = {Task.TRANSCRIBE: hears or not speaks, Task.SPEAK: speaks}
    return frozenset(task for task, able in found.items() if able)


def _fit(manifest: EngineManifest, card: Card, specs: Mapping[Variant, ModelSpec]) -> EngineFit:
    certain = any(variant in specs for variant in card.variants)
    if (lack := registry.missing(manifest)) is not None:
        return EngineFit(engine=manifest.name, reason=str(lack), certain=certain)
    why = {variant: _refused(manifest, card, variant, specs) for variant in card.variants}
    return EngineFit(
        engine=manifest.name,
        variants=tuple(variant for variant, reason in why.items() if reason is None),
        reason=_said(why),
        certain=certain,
    )


def _refused(
    manifest: EngineManifest, card: Card, variant: Variant, specs: Mapping[Variant, ModelSpec]
) -> str | None:
    """Why a variant is not served; as its checkpoint says, where that is here."""
    stored = FORMATS.get(variant.format)
    if stored is None and variant.format not in manifest.packed:
        return UNREAD
    if (spec := specs.get(variant)) is not None:
        return registry.refused(manifest, spec)
    if stored is not None and manifest.formats.isdisjoint(stored):
        return UNREAD
    return manifest.declines(card)


def _said(why: Mapping[Variant, str | None]) -> str:
    """The reasons, each once, with the formats that they are about if there are several."""
    about: dict[str, Sequence[str]] = {}
    for variant, reason in why.items():
        if reason is not None:
            about[reason] = tuple(dict.fromkeys((*about.get(reason, ()), variant.format)))
    if len(about) == 1 and None not in why.values():
        return next(iter(about))
    return "; ".join(f"{', '.join(formats)}: {reason}" for reason, formats in about.items())
