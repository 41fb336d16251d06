"""Models in the SDK's words."""

from __future__ import annotations

from typing import Any

from stelae.dialects.sie.schema import ModelError, SieModel, SieModelDetail, SieModels
from stelae.errors import from_info
from stelae.types import ModelInfo, ModelState, OutputType, Task
from stelae.wire.sie.codes import code_of

STATES = {
    ModelState.AVAILABLE: "available",
    ModelState.LOADING: "loading",
    ModelState.READY: "loaded",
    ModelState.STOPPING: "unloading",
    ModelState.FAILED: "failed",
}


def sie_model(info: ModelInfo) -> SieModel:
    """A model as the SDK lists it."""
    return SieModel(**_fields(info))


def sie_detail(info: ModelInfo, created: int) -> SieModelDetail:
    """A model as the SDK asks for it alone."""
    return SieModelDetail(**_fields(info), **_openai(info.name, created))


def sie_models(infos: list[ModelInfo], created: int) -> SieModels:
    """All models."""
    return SieModels(
        models=[sie_model(info) for info in infos],
        object="list",
        data=[_openai(info.name, created) for info in infos],
    )


def _fields(info: ModelInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "loaded": info.state is ModelState.READY,
        "state": STATES[info.state],
        "last_error": _last_error(info),
        "inputs": tuple(kind.value for kind in info.inputs),
        "outputs": _outputs(info),
        "dims": _dims(info),
        "max_sequence_length": info.max_tokens or None,
        "profiles": {"default": {"is_default": True}},
        "revision": info.source.partition("@")[2] or None,
        "capabilities": None,
        "routing": {"policy": None, "upstream_kind": None},
        "aliases": info.aliases,
    }


def _outputs(info: ModelInfo) -> tuple[str, ...]:
    made = [output.value for output in info.outputs]
    late = OutputType.MULTIVECTOR in info.outputs
    if Task.SCORE in info.tasks and (late or not made):
        made.append("score")
    return (*made, "json") if Task.EXTRACT in info.tasks else tuple(made)


def _dims(info: ModelInfo) -> dict[str, int]:
    widths = {"dense": info.dimensions, "multivector": info.token_dimensions}
    return {name: width for name, width in widths.items() if width}


def _last_error(info: ModelInfo) -> ModelError | None:
    if info.error is None:
        return None
    error = from_info(info.error)
    return ModelError(code=code_of(error), message=str(error), attempts=1, permanent=False)


def _openai(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "stelae"}
