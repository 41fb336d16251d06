"""Ollama's lists of models, and what is asked of one."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NoReturn

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.ollama.lines import stamp
from stelae.dialects.ollama.names import find
from stelae.dialects.ollama.schema import (
    ModelDetails,
    OllamaModel,
    OllamaModels,
    OllamaNamed,
    OllamaShown,
    OllamaVersion,
)
from stelae.errors import Forbidden, InvalidInput, ModelNotFound
from stelae.types import Modality, ModelInfo, ModelState, Task
from stelae.version import __version__

SPOKEN = "0.13.0"
"""Version of the protocol; some clients refuse servers that tell one from before 0.6.4."""

NEVER = 100 * 365 * 86_400.0
"""Seconds from now when a model is unloaded: this protocol has no word for never."""

CAPABILITIES = {Task.CHAT: "completion", Task.ENCODE: "embedding"}

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}

_CLASS = re.compile(r"(For[A-Z]\w*|Model|LMHeadModel)$")
_NAMED = msgspec.json.Decoder(OllamaNamed)


async def tags(request: Request, rooms: Rooms) -> Response:
    """All models."""
    del request
    since = stamp(rooms.about.started)
    models = [_model(info, modified_at=since) for info in rooms.fleet.models()]
    return json_answer(OllamaModels(models=models))


async def ps(request: Request, rooms: Rooms) -> Response:
    """Loaded models."""
    del request
    until = stamp(rooms.about.started + NEVER)
    loaded = [info for info in rooms.fleet.models() if info.state is ModelState.READY]
    return json_answer(OllamaModels(models=[_loaded(info, until) for info in loaded]))


def _loaded(info: ModelInfo, until: str) -> OllamaModel:
    on_card = info.device.startswith("cuda")
    return _model(
        info,
        expires_at=until,
        size_vram=info.memory_bytes if on_card else 0,
        context_length=info.max_tokens,
    )


def _model(info: ModelInfo, **more: Any) -> OllamaModel:
    return OllamaModel(
        name=info.name,
        model=info.name,
        size=info.memory_bytes,
        digest=digest(info.source),
        details=details(info),
        **more,
    )


def digest(source: str) -> str:
    """What stands for the contents of a checkpoint: SHA-256 of where it comes from."""
    return hashlib.sha256(source.encode()).hexdigest()


def details(info: ModelInfo) -> ModelDetails:
    """What kind of model it is."""
    kind = family(info)
    return ModelDetails(
        parent_model="",
        format="gguf" if info.source.lower().endswith(".gguf") else "safetensors",
        family=kind,
        families=[kind] if kind else [],
        parameter_size="",
        quantization_level=DTYPES.get(info.dtype, info.dtype),
    )


def family(info: ModelInfo) -> str:
    """An architecture by its short name, as ``qwen3`` for ``Qwen3ForCausalLM``."""
    return _CLASS.sub("", info.architecture).lower()


async def named(request: Request) -> tuple[OllamaNamed, str]:
    """A request about one model, and the model's name.

    Raises:
        InvalidInput: It names none.
    """
    asked = decode(_NAMED, await read(request))
    name = asked.model or asked.name
    if not name:
        raise InvalidInput("the field 'model' is missing", param="model")
    return asked, name


async def show(request: Request, rooms: Rooms) -> Response:
    """One model: its kind, its sizes and what it can do."""
    _, name = await named(request)
    info = find(rooms.fleet, name)
    record_of(request).model = info.name
    shown = OllamaShown(
        modelfile="",
        parameters="",
        template="",
        details=details(info),
        model_info=_sizes(info),
        capabilities=capabilities(info),
        modified_at=stamp(rooms.about.started),
    )
    return json_answer(shown)


def _sizes(info: ModelInfo) -> dict[str, Any]:
    kind = family(info)
    sizes = {"context_length": info.max_tokens, "embedding_length": info.dimensions}
    known = {f"{kind}.{name}": size for name, size in sizes.items() if size}
    return {"general.architecture": kind, "general.basename": info.name, **known}


def capabilities(info: ModelInfo) -> list[str]:
    """What a model can be asked for, in this protocol's words."""
    found = [word for task, word in CAPABILITIES.items() if task in info.tasks]
    if Task.CHAT not in info.tasks:
        return found
    sees = ["vision"] if Modality.IMAGE in info.inputs else []
    return [*found, *sees, *info.abilities]


async def version(request: Request, rooms: Rooms) -> Response:
    """The version of the protocol."""
    del request, rooms
    return json_answer(OllamaVersion(version=SPOKEN, stelae=__version__))


async def refused(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse what would change the models of the server.

    Raises:
        Forbidden: Always.
    """
    del rooms
    raise Forbidden(
        f"{request.url.path} is not served: which models there are is up to whoever runs the "
        "server",
        hint="stelae serve NAME=FOLDER serves a model, an empty prompt with keep_alive=0 unloads "
        "one",
    )


def _refusal(method: str, path: str, what: str) -> Operation:
    return Operation(
        method=method,
        path=path,
        handle=refused,
        summary=f"Always refused: {what}.",
        errors=(Forbidden,),
    )


MODEL_OPERATIONS = (
    Operation(
        method="GET",
        path="/api/tags",
        handle=tags,
        summary="List the models.",
        response=OllamaModels,
    ),
    Operation(
        method="GET",
        path="/api/ps",
        handle=ps,
        summary="List the models that are loaded.",
        response=OllamaModels,
    ),
    Operation(
        method="POST",
        path="/api/show",
        handle=show,
        summary="Describe one model.",
        request=OllamaNamed,
        example={"model": "all-MiniLM-L6-v2"},
        response=OllamaShown,
        errors=(InvalidInput, ModelNotFound),
    ),
    Operation(
        method="GET",
        path="/api/version",
        handle=version,
        summary="The version of the protocol.",
        response=OllamaVersion,
    ),
    _refusal("DELETE", "/api/delete", "no checkpoint is deleted from afar"),
    _refusal("POST", "/api/copy", "names are given by whoever runs the server"),
    _refusal("POST", "/api/create", "models are checkpoints"),
    _refusal("POST", "/api/push", "nothing is uploaded"),
    _refusal("POST", "/api/blobs/{digest}", "nothing is uploaded"),
)
