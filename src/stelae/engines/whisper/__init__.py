"""Whisper by transformers: the reference, and what serves where ctranslate2 cannot."""

from stelae.catalog.hearing import ARCHITECTURE
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import EVERYWHERE, Device, EngineManifest, Requirement, WeightFormat
from stelae.types import ComputeDtype, Task


def refuses(spec: ModelSpec) -> str | None:
    """Why a model cannot be served, or ``None`` if it can."""
    trunk = spec.backbone
    if not isinstance(trunk, Backbone) or trunk.architecture != ARCHITECTURE:
        return f"it reads checkpoints of {ARCHITECTURE} only"
    return None


MANIFEST = EngineManifest(
    name="whisper",
    tasks=frozenset({Task.TRANSCRIBE}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.whisper.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("transformers", extra="server"),
        Requirement("tokenizers", extra="server"),
        Requirement("av", extra="audio"),
        Requirement("soxr", extra="audio"),
    ),
    preference=20,
    refuses=refuses,
    special=True,
    dtypes=EVERYWHERE | {ComputeDtype.FLOAT16},
)
