"""Classes of texts, by the models of the library gliclass."""

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Task


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if spec.extraction is not None and spec.extraction.layout == "gliclass":
        return None
    return "it serves GLiClass only"


MANIFEST = EngineManifest(
    name="gliclass",
    tasks=frozenset({Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.gliclass.engine:load",
    needs=(Requirement("torch", extra="server"), Requirement("gliclass", extra="extract")),
    preference=40,
    refuses=refuses,
    special=True,
)
