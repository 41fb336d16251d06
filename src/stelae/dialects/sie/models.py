"""Models in the SDK's words."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from stelae.dialects.sie.schema import ModelError, SieModel, SieModelDetail, SieModels
from stelae.errors import from_info
from stelae.types import ModelInfo, ModelState, OutputType, Profile, Task
from stelae.vectors import muvera
from stelae.wire.sie.codes import load_facts

STATES = {
    ModelState.AVAILABLE: "available",
    ModelState.LOADING: "loading",
    ModelState.READY: "loaded",
    ModelState.STOPPING: "unloading",
    ModelState.FAILED: "failed",
}


PLAIN = "default"
"""The profile of calls that name none."""


def sie_detail(info: ModelInfo, name: str, created: int) -> SieModelDetail:
    """A model as the SDK asks for it alone, perhaps by the name of one of its profiles."""
    profile = _profile_in(info, name)
    found = _variant(info, profile) if profile in info.profiles else info
    return SieModelDetail(**_fields(found), **_openai(found.name, created))


def sie_models(infos: list[ModelInfo], created: int) -> SieModels:
    """All models, and beside each its profiles as models of their own."""
    listed = [each for info in infos for each in (info, *_variants(info))]
    return SieModels(
        models=[SieModel(**_fields(info)) for info in listed],
        object="list",
        data=[_openai(info.name, created) for info in infos],
    )


def chosen(info: ModelInfo, name: str) -> Profile:
    """The options that a name of the model means beside."""
    return info.profiles.get(_profile_in(info, name), Profile())


def _profile_in(info: ModelInfo, name: str) -> str:
    """The profile in a name of the model."""
    heads = [own + sign for own in (info.name, *info.aliases) for sign in ":@"]
    found = next((head for head in heads if name.startswith(head)), name)
    return name[len(found) :] or PLAIN


def _variants(info: ModelInfo) -> list[ModelInfo]:
    return [_variant(info, profile) for profile in info.profiles if profile != PLAIN]


def _variant(info: ModelInfo, profile: str) -> ModelInfo:
    """A model with a profile, as if it were another."""
    if profile == PLAIN:
        return info
    options = info.profiles[profile]
    return replace(
        info,
        name=f"{info.name}:{profile}",
        aliases=tuple(f"{alias}:{profile}" for alias in info.aliases),
        outputs=options.outputs or ((OutputType.DENSE,) if options.muvera else info.outputs),
        dimensions=_width(info, options),
        profiles={},
    )


def _width(info: ModelInfo, options: Profile) -> int:
    if options.muvera is not None and info.token_dimensions:
        return muvera.width(options.muvera, info.token_dimensions)
    return options.dimensions or info.dimensions


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
        "profiles": {n: {"is_default": n == PLAIN} for n in (PLAIN, *info.profiles)},
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
    return {name: width for name, width in widths.items() if width and name in info.outputs}


def _last_error(info: ModelInfo) -> ModelError | None:
    if info.error is None:
        return None
    error = from_info(info.error)
    facts = load_facts(error)
    return ModelError(
        code=facts["error_class"],
        message=str(error),
        attempts=facts["attempts"],
        permanent=facts["permanent"],
    )


def _openai(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "stelae"}
