"""The sentence-transformers library itself: the reference, and the visible fallback."""

from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Task

MANIFEST = EngineManifest(
    name="sentence_transformers",
    tasks=frozenset({Task.ENCODE}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.sentence_transformers.engine:load",
    needs=(Requirement("sentence_transformers", extra="server"),),
    preference=10,
)
