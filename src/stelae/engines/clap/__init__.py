"""Recordings and texts to vectors of one kind, by the library's CLAP."""

from stelae.catalog.clap import CLAP
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Card, Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    return None if spec.backbone.architecture == CLAP else f"it serves {CLAP} only"


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    return None if "audio" in card.inputs else f"it serves {CLAP} only"


MANIFEST = EngineManifest(
    name="clap",
    tasks=frozenset({Task.ENCODE, Task.SCORE}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.clap.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("transformers", extra="server"),
        Requirement("av", extra="audio"),
        Requirement("soxr", extra="audio"),
    ),
    preference=20,
    refuses=refuses,
    declines=declines,
    special=True,
)
