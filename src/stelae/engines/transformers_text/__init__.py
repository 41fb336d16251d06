"""Language models of the transformers library, with a token loop of our own."""

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if spec.generation is None:
        return "it goes on with conversations only"
    return None


MANIFEST = EngineManifest(
    name="transformers_text",
    tasks=frozenset({Task.CHAT}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.transformers_text.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("transformers", extra="server"),
        Requirement("llguidance", extra="server"),
    ),
    preference=20,
    refuses=refuses,
)
