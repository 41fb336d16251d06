"""What pictures hold, written down: Florence-2 and Donut, by the library transformers."""

from stelae.catalog.documents import LAYOUTS
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat, needs_ability
from stelae.types import Card, Task

ONLY = "it serves Florence-2 and Donut only"


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if spec.extraction is not None and spec.extraction.layout in LAYOUTS:
        return None
    return ONLY


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    return needs_ability(card, ("data",), ONLY)


MANIFEST = EngineManifest(
    name="documents",
    tasks=frozenset({Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.documents.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("transformers", extra="server"),
        Requirement("scipy", extra="server"),
    ),
    preference=40,
    refuses=refuses,
    special=True,
    declines=declines,
)
