"""Texts read aloud, by the models of the library transformers."""

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.catalog.speech import SPEAKERS
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if isinstance(spec.backbone, Backbone) and spec.backbone.architecture in SPEAKERS:
        return None
    return f"it reads aloud with {', '.join(sorted(SPEAKERS))} only"


MANIFEST = EngineManifest(
    name="speech",
    tasks=frozenset({Task.SPEAK}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.speech.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("transformers", extra="server"),
        Requirement("av", extra="audio"),
        Requirement("soxr", extra="audio"),
    ),
    preference=40,
    refuses=refuses,
)
