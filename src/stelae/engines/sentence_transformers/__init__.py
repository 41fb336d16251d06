"""The sentence-transformers library itself: the reference, and the visible fallback."""

from stelae.catalog.files import join
from stelae.catalog.fingerprint import weight_paths
from stelae.catalog.operations import OwnPool, TermWeights
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.catalog.torch_file import TORCH_SUFFIXES
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat, needs_ability
from stelae.types import Card, Modality, Task

TORCH = tuple(TORCH_SUFFIXES)
OWN_CODE = frozenset({"gte", "new"})
"""Model types that the library knows by code of checkpoints alone."""


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if not isinstance(spec.backbone, Backbone):
        return "it serves transformers only"
    if spec.inputs != (Modality.TEXT,) or spec.backbone.prefix:
        return "it is given models for texts only, in the layouts of transformers"
    if not spec.chains and spec.scoring is None:
        return "it makes vectors, weights of terms and scores only"
    own = {join(spec.backbone.folder, name) for name in spec.backbone.weights}
    if any(file not in own and file.endswith(TORCH) for file in weight_paths(spec)):
        return "it is given weights beside the transformer's in safetensors only"
    if spec.backbone.config.get("model_type") in OWN_CODE:
        return f"{spec.backbone.architecture} needs code of the checkpoint, which is never run"
    return _refuses_parts(spec)


def _refuses_parts(spec: ModelSpec) -> str | None:
    if len(spec.outputs) > 1:
        return f"it makes one kind of output of a model, not {' and '.join(spec.outputs)}"
    steps = [*spec.scorer, *(step for chain in spec.chains for step in chain.steps)]
    lacking = next((step for step in steps if isinstance(step, (OwnPool, TermWeights))), None)
    return None if lacking is None else f"it has no {type(lacking).__name__} module"


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    if card.inputs != ("text",):
        return "it is given models for texts only"
    if card.kind == "extract":
        return needs_ability(card, ("classifications",), "it finds classes only")
    return None


MANIFEST = EngineManifest(
    name="sentence_transformers",
    tasks=frozenset({Task.ENCODE, Task.SCORE, Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.TORCH}),
    devices=frozenset({Device.CPU, Device.CUDA}),
    load="stelae.engines.sentence_transformers.engine:load",
    needs=(Requirement("sentence_transformers", extra="server"),),
    preference=10,
    refuses=refuses,
    declines=declines,
)
