"""Stelae's own encoder: packed batches on ``nn``, no padding."""

from stelae.catalog.operations import Foreign
from stelae.catalog.spec import ModelSpec, Static
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.nn.architectures import known
from stelae.types import Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    parts = [spec.backbone, *(() if spec.vision is None else (spec.vision.backbone,))]
    names = [part.architecture for part in parts if not isinstance(part, Static)]
    lacking = [name for name in names if name not in known()]
    if lacking:
        return f"it has no architecture {', '.join(lacking)}"
    steps = [*spec.scorer, *(step for chain in spec.chains for step in chain.steps)]
    foreign = next((step for step in steps if isinstance(step, Foreign)), None)
    return None if foreign is None else f"it has no module {foreign.kind}"


MANIFEST = EngineManifest(
    name="encoder",
    tasks=frozenset({Task.ENCODE, Task.SCORE, Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.encoder.engine:load",
    needs=(Requirement("torch", extra="server"), Requirement("tokenizers", extra="server")),
    preference=100,
    refuses=refuses,
)
