"""The transformers library's own classes, for models of pages that are not packed here."""

from stelae.catalog.pages import QUESTIONS
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Card, OutputType, Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if spec.backbone.architecture in QUESTIONS:
        return None
    return f"it serves {' and '.join(QUESTIONS)} only"


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    pages = "image" in card.inputs and OutputType.MULTIVECTOR in card.abilities
    return None if pages else f"it serves {' and '.join(QUESTIONS)} only"


MANIFEST = EngineManifest(
    name="transformers",
    tasks=frozenset({Task.ENCODE, Task.SCORE}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.transformers.engine:load",
    needs=(Requirement("torch", extra="server"), Requirement("transformers", extra="server")),
    preference=20,
    refuses=refuses,
    declines=declines,
    special=True,
)
