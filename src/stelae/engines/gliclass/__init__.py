"""Classes of texts, by the models of the library gliclass."""

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat, needs_ability
from stelae.types import Card, Task

ONLY = "it serves GLiClass only"


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if spec.extraction is not None and spec.extraction.layout == "gliclass":
        return None
    return ONLY


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    return needs_ability(card, ("classifications",), ONLY)


MANIFEST = EngineManifest(
    name="gliclass",
    tasks=frozenset({Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.gliclass.engine:load",
    needs=(Requirement("torch", extra="server"), Requirement("gliclass", extra="extract")),
    preference=40,
    refuses=refuses,
    special=True,
    declines=declines,
)
