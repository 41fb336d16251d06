"""Which engines serve a model, and names of models by what they can do."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, shows_key
from stelae.dialects.xinference.engine_words import SHOWN
from stelae.dialects.xinference.kinds import ABILITIES, kind_of
from stelae.dialects.xinference.launch_read import SENT
from stelae.dialects.xinference.models import whole
from stelae.dialects.xinference.refusals import refused
from stelae.engines import vllm
from stelae.errors import InvalidInput
from stelae.types import EngineFit, ModelKind


async def engines(request: Request, rooms: Rooms) -> Response:
    """What each engine makes of a model: variants that it serves, or why it serves none."""
    asked = request.path_params
    kind = kind_of(asked.get("type", "LLM"))
    with refused(SENT):
        fits = await rooms.registry.engines(asked["name"], kind)
    return json_answer(
        {SHOWN.get(fit.engine, fit.engine): _fit(fit, asked["name"], kind) for fit in fits}
    )


def _fit(fit: EngineFit, name: str, kind: ModelKind) -> list[dict[str, Any]] | str:
    if not fit.variants:
        return fit.reason
    told: list[dict[str, Any]] = []
    for variant in fit.variants:
        common = {"model_name": name, "model_format": variant.format}
        if kind == "llm":
            size, names = whole(variant.size), list(variant.quantizations)
            told.append({**common, "model_size_in_billions": size, "quantizations": names})
        else:
            told += [{**common, "quantization": q} for q in variant.quantizations]
    return told


async def families(request: Request, rooms: Rooms) -> Response:
    """Names of language models by what they can do."""
    del request
    cards = rooms.registry.cards("llm")
    words = ABILITIES["llm"]
    return json_answer({w: [card.name for card in cards if w in card.abilities] for w in words})


async def vllm_supported(request: Request, rooms: Rooms) -> Response:
    """Names of language models that vLLM serves; strangers are told well-known ones alone."""
    known = shows_key(request, rooms)
    cards = [
        card for card in rooms.registry.cards("llm") if vllm.reads(card) and (known or card.builtin)
    ]
    chat = [card.name for card in cards if "chat" in card.abilities]
    return json_answer(
        {"chat": chat, "generate": [card.name for card in cards if card.name not in set(chat)]}
    )


async def prompts(request: Request, rooms: Rooms) -> Response:
    """Prompt styles by model: none, since templates come with checkpoints."""
    del request, rooms
    return json_answer({})


ENGINE_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/engines/{name}",
        handle=engines,
        summary="Tell what each engine makes of a language model.",
        errors=(InvalidInput,),
    ),
    Operation(
        method="GET",
        path="/v1/engines/{type}/{name:path}",
        handle=engines,
        summary="Tell what each engine makes of a model.",
        errors=(InvalidInput,),
    ),
    Operation(
        method="GET",
        path="/v1/models/families",
        handle=families,
        summary="Names of language models by what they can do.",
    ),
    Operation(
        method="GET",
        path="/v1/models/vllm-supported",
        handle=vllm_supported,
        summary="Names of language models that vLLM serves, where it is installed.",
        open=True,
    ),
    Operation(
        method="GET",
        path="/v1/models/prompts",
        handle=prompts,
        summary="Prompt styles: none, since templates come with checkpoints.",
    ),
)
