"""Names and relations in texts, by the models of the library gliner."""

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat, needs_ability
from stelae.types import Card, Task

ONLY = "it serves GLiNER only"


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if spec.extraction is not None and spec.extraction.layout == "gliner":
        return None
    return ONLY


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    return needs_ability(card, ("entities", "relations"), ONLY)


MANIFEST = EngineManifest(
    name="gliner",
    tasks=frozenset({Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.gliner.engine:load",
    needs=(Requirement("torch", extra="server"), Requirement("gliner", extra="extract")),
    preference=40,
    refuses=refuses,
    special=True,
    declines=declines,
)
