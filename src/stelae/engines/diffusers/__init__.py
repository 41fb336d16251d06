"""Pictures by the pipelines of the diffusers library, those of equal shape in one batch."""

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import (
    EVERYWHERE,
    Device,
    EngineManifest,
    Requirement,
    WeightFormat,
)
from stelae.types import ComputeDtype, Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if spec.imaging is None:
        return "it makes pictures only"
    return None


MANIFEST = EngineManifest(
    name="diffusers",
    tasks=frozenset({Task.IMAGE}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.diffusers.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("transformers", extra="server"),
        Requirement("diffusers", extra="image"),
        Requirement("peft", extra="image"),
    ),
    preference=20,
    dtypes=EVERYWHERE | {ComputeDtype.FLOAT16},
    refuses=refuses,
)
