"""Stelae's own encoder: packed batches on ``nn``, no padding."""

from stelae.catalog.operations import Foreign
from stelae.catalog.spec import ModelSpec, Static
from stelae.engines.base import (
    EVERYWHERE,
    Device,
    EngineManifest,
    Requirement,
    WeightFormat,
    needs_ability,
)
from stelae.nn.architectures import known
from stelae.types import Card, ComputeDtype, Task


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


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    if "audio" in card.inputs:
        return "it hears nothing"
    if card.kind == "extract":
        return needs_ability(card, ("classifications",), "it finds classes only")
    return None


MANIFEST = EngineManifest(
    name="encoder",
    tasks=frozenset({Task.ENCODE, Task.SCORE, Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.encoder.engine:load",
    needs=(Requirement("torch", extra="server"), Requirement("tokenizers", extra="server")),
    preference=100,
    refuses=refuses,
    declines=declines,
    dtypes=EVERYWHERE | {ComputeDtype.INT8},
    roofline="stelae.engines.encoder.roofline:measure",
    calibrate="stelae.engines.encoder.calibrate:calibrate",
)
