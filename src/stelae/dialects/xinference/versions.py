"""The variants of models by names: ``NAME--7B--FORMAT--QUANTIZATION``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.catalog.variants import Wish, choose
from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.xinference.kinds import kind_of
from stelae.dialects.xinference.launch_read import SENT
from stelae.dialects.xinference.refusals import refused
from stelae.errors import InvalidInput
from stelae.types import Card, Chosen, LaunchCall


def version_of(card: Card, call: LaunchCall) -> str:
    """The variant that a launch asks for; the model's name where it has no such variant."""
    wish = Wish(format=call.format, size=call.size, quantization=call.quantization)
    with suppress(InvalidInput):
        return name_of(card, choose(card.name, card.variants, wish))
    return call.model


def name_of(card: Card, chosen: Chosen) -> str:
    """The name of a variant."""
    size = [] if chosen.size is None else [f"{chosen.size:g}B"]
    return "--".join([card.name, *size, chosen.format, chosen.quantization])


async def versions(request: Request, rooms: Rooms) -> Response:
    """The variants of a model."""
    asked = request.path_params
    with refused(SENT):
        card = rooms.registry.card(asked["name"], kind_of(asked["type"]))
    return json_answer(_versions(card))


def _versions(card: Card) -> list[dict[str, Any]]:
    chosen = [v.chosen(q) for v in card.variants for q in v.quantizations]
    return [
        {
            "model_version": name_of(card, one),
            "model_name": card.name,
            "model_format": one.format,
            "model_size_in_billions": one.size,
            "quantization": one.quantization,
            "model_id": one.hub,
            "model_revision": one.revision,
            "is_builtin": card.builtin,
        }
        for one in chosen
    ]


VERSION_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/models/{type}/{name:path}/versions",
        handle=versions,
        summary="List the variants of a model.",
        errors=(InvalidInput,),
    ),
)
