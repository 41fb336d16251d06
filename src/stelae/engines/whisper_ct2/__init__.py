"""Whisper by ctranslate2, from its own files or from those of transformers, converted once."""

from stelae.catalog.hearing import LAYOUTS
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import ComputeDtype, Task


def refuses(spec: ModelSpec) -> str | None:
    """Why a model cannot be served, or ``None`` if it can."""
    trunk = spec.backbone
    if not isinstance(trunk, Backbone) or trunk.architecture not in LAYOUTS:
        return "it is not Whisper"
    return None


MANIFEST = EngineManifest(
    name="whisper_ct2",
    tasks=frozenset({Task.TRANSCRIBE}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.whisper_ct2.engine:load",
    needs=(
        Requirement("ctranslate2", extra="audio"),
        Requirement("tokenizers", extra="server"),
        Requirement("av", extra="audio"),
        Requirement("soxr", extra="audio"),
    ),
    preference=90,
    refuses=refuses,
    special=True,
    dtypes=frozenset(ComputeDtype),
)
