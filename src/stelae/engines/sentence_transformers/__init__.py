"""The sentence-transformers library itself: the reference, and the visible fallback."""

from stelae.catalog.fingerprint import weight_paths
from stelae.catalog.operations import Dense, Normalize, Pool
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import OutputType, Task

OWN_CODE = frozenset({"gte", "new"})
"""Model types that the library knows by code of checkpoints alone."""


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if not isinstance(spec.backbone, Backbone) or spec.outputs != (OutputType.DENSE,):
        return "it serves dense vectors of transformers only"
    if spec.vision is not None or spec.backbone.prefix:
        return "it is given models for texts only, in the layouts of transformers"
    if not all(file.endswith(".safetensors") for file in weight_paths(spec)):
        return "it is given weights in safetensors only"
    if spec.backbone.config.get("model_type") in OWN_CODE:
        return f"{spec.backbone.architecture} needs code of the checkpoint, which is never run"
    if len(spec.chains) != 1:
        return "it serves models that read both sides of a search alike only"
    steps = spec.chains[0].steps
    other = next((s for s in steps if not isinstance(s, (Pool, Dense, Normalize))), None)
    return None if other is None else f"it is not given {type(other).__name__} modules"


MANIFEST = EngineManifest(
    name="sentence_transformers",
    tasks=frozenset({Task.ENCODE}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.sentence_transformers.engine:load",
    needs=(Requirement("sentence_transformers", extra="server"),),
    preference=10,
    refuses=refuses,
)
