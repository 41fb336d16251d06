"""Language models run by OpenVINO, with its paged attention, in the token loop of our own."""

import sys

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import Device, EngineManifest, Requirement, WeightFormat
from stelae.types import Card, Modality, Task

# Quirk: openvino 2026.4 imports a package that can report use to its makers; without it the
# library takes a stub of its own. tests/parity/test_openvino.py, test_nothing_can_be_reported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None forbids it

ARCHITECTURES = frozenset({
    "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM",
})  # fmt: skip
"""Classes of which it builds a graph; graphs that others built may be of any."""


def refuses(spec: ModelSpec) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    trunk = spec.backbone
    if not isinstance(trunk, Backbone):
        return "it goes on with conversations only"
    if Modality.IMAGE in spec.inputs:
        return "it reads no pictures"
    if not trunk.weights[0].endswith(".xml") and trunk.architecture not in ARCHITECTURES:
        return f"it builds no graph of {trunk.architecture or 'an unnamed architecture'}"
    return None


def declines(card: Card) -> str | None:
    """Say why a model of these facts cannot be served, or ``None`` if it may."""
    lacking = next((name for name in card.architectures if name not in ARCHITECTURES), None)
    if Modality.IMAGE in card.inputs:
        return "it reads no pictures"
    return None if lacking is None else f"it builds no graph of {lacking}"


MANIFEST = EngineManifest(
    name="openvino",
    tasks=frozenset({Task.CHAT}),
    formats=frozenset({WeightFormat.SAFETENSORS, WeightFormat.OPENVINO}),
    devices=frozenset({Device.CPU}),
    load="stelae.engines.openvino.engine:load",
    needs=(
        Requirement("torch", extra="server"),
        Requirement("openvino", extra="openvino"),
        Requirement("llguidance", extra="server"),
    ),
    preference=30,
    refuses=refuses,
    declines=declines,
)
