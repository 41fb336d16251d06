"""Language models in GGUF files, run by llama.cpp in the token loop of our own."""

from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Task

MANIFEST = EngineManifest(
    name="llama_cpp",
    tasks=frozenset({Task.CHAT}),
    formats=frozenset({WeightFormat.GGUF}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.llama_cpp.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("llguidance", extra="server"),
        Requirement("llama_cpp", extra="gguf"),
    ),
    preference=20,
)
