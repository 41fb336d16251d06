"""From a checkpoint to a graph that OpenVINO has compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openvino as ov

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.hardware import cores
from stelae.engines.openvino.graph import Decoder
from stelae.engines.openvino.model import PagedModel, paged
from stelae.engines.openvino.sizes import sizes_of
from stelae.engines.openvino.weights import FolderWeights
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
"""Formats to compute in, and of keys and values."""


def load_model(spec: ModelSpec, options: EngineOptions, dtype: str, room: int) -> PagedModel:
    """A model that runs in steps.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented.
        ModelLoadFailed: The library cannot read or compile it.
    """
    trunk = spec.backbone
    if not isinstance(trunk, Backbone):
        raise UnsupportedCheckpoint(f"model {spec.name!r} is a table, no language model")
    try:
        graph, held = _graph(Path(spec.folder), trunk)
        compiled = ov.Core().compile_model(paged(graph), "CPU", _settings(options, dtype))
    except RuntimeError as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: OpenVINO cannot load {spec.folder}: {error}"
        ) from error
    return PagedModel(compiled, room, held)


def _graph(folder: Path, trunk: Backbone) -> tuple[ov.Model, Any]:
    """The graph, and what has to live as long."""
    if trunk.weights[0].endswith(".xml"):
        return ov.Core().read_model(folder / trunk.weights[0]), None
    sizes = sizes_of(trunk.architecture, trunk.config)
    weights = FolderWeights(folder / trunk.folder, trunk.weights)
    graph = Decoder(sizes, weights).model()
    weights.check_all_used(tied=sizes.tied)
    return graph, weights


def _settings(options: EngineOptions, dtype: str) -> dict[str, Any]:
    exact = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0} if dtype == "float32" else {}
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": options.threads or cores(),
        # Pinned threads of several workers would all wait for the same cores.
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": PRECISIONS[dtype],
        "KV_CACHE_PRECISION": PRECISIONS[dtype],
        **exact,
    }
