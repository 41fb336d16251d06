"""Stelae's own encoder: packed batches on ``nn``, no padding."""

from stelae.catalog.spec import ModelSpec, Static
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.nn.architectures import known
from stelae.types import Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if isinstance(spec.backbone, Static) or spec.backbone.architecture in known():
        return None
    return f"architecture {spec.backbone.architecture} is not written yet"


MANIFEST = EngineManifest(
    name="encoder",
    tasks=frozenset({Task.ENCODE, Task.SCORE}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.encoder.engine:load",
    needs=(Requirement("torch", extra="server"), Requirement("tokenizers", extra="server")),
    preference=100,
    refuses=refuses,
)
