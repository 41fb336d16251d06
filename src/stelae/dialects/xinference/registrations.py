"""The registry as Xinference's clients see it: what can be launched, and adding to it."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import decode, read
from stelae.dialects.xinference.documents import registration_of
from stelae.dialects.xinference.families import document_of
from stelae.dialects.xinference.kinds import kind_of
from stelae.dialects.xinference.launch_read import SENT
from stelae.dialects.xinference.launching import truth
from stelae.dialects.xinference.models import launched
from stelae.dialects.xinference.refusals import refused
from stelae.dialects.xinference.versions import name_of
from stelae.errors import InvalidInput, ModelNotFound
from stelae.types import CachedModel, Card


class RegistrationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A model to register.

    Attributes:
        model: The document as JSON text.
        persist: Whether it outlives the server.
        worker_ip: Not used: there is one worker.
    """

    model: str
    persist: bool | None = True
    worker_ip: str | None = None


_DECODER = msgspec.json.Decoder(RegistrationRequest)


async def list_registrations(request: Request, rooms: Rooms) -> Response:
    """Names of the models of a type, or all that is known of them."""
    cards = rooms.registry.cards(kind_of(request.path_params["type"]))
    cards.sort(key=lambda card: card.name.lower())
    if not truth(request, "detailed", otherwise=False):
        told = [{"model_name": card.name, "is_builtin": card.builtin} for card in cards]
        return json_answer(told)
    cached = await rooms.registry.cached()
    return json_answer([_detailed(rooms, card, cached) for card in cards])


def _detailed(rooms: Rooms, card: Card, cached: list[CachedModel]) -> dict[str, Any]:
    here = {model.version for model in cached if model.complete}
    document = _document(rooms, card)
    chosen = [v.chosen(q) for v in card.variants for q in v.quantizations]
    specs = document.get("model_specs") or []
    for spec, variant in zip(specs, card.variants, strict=False):
        names = [name_of(card, variant.chosen(q)) for q in variant.quantizations]
        spec["cache_status"] = [name in here for name in names]
    return {
        **document,
        "is_builtin": card.builtin,
        "download_hubs": ["huggingface"],
        "cache_status": any(name_of(card, one) in here for one in chosen),
        "model_version_count": len(chosen),
        "model_instance_count": sum(
            info.call.model == card.name for info in launched(rooms).values()
        ),
    }


def _document(rooms: Rooms, card: Card) -> dict[str, Any]:
    try:
        return document_of(card, rooms.registry.registration(card.name))
    except ModelNotFound:
        return document_of(card)


async def get_registration(request: Request, rooms: Rooms) -> Response:
    """All that is known of one model."""
    asked = request.path_params
    with refused(SENT):
        card = rooms.registry.card(asked["name"], kind_of(asked["type"]))
    return json_answer({**_document(rooms, card), "is_builtin": card.builtin})


async def register(request: Request, rooms: Rooms) -> Response:
    """Make a model known by a name of its own."""
    asked = decode(_DECODER, await read(request))
    registration = registration_of(request.path_params["type"], asked.model)
    with refused(SENT):
        await rooms.registry.register(registration, persist=asked.persist is not False)
    return json_answer(None)


async def unregister(request: Request, rooms: Rooms) -> Response:
    """Take a registration back."""
    asked = request.path_params
    with refused(SENT):
        await rooms.registry.unregister(asked["name"], kind_of(asked["type"]))
    return json_answer(None)


REGISTRATION_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/model_registrations/{type}",
        handle=list_registrations,
        summary="List the models of a type that can be launched.",
        errors=(InvalidInput,),
    ),
    Operation(
        method="POST",
        path="/v1/model_registrations/{type}",
        handle=register,
        summary="Register a model.",
        request=RegistrationRequest,
        example={
            "model": '{"model_name": "our-vectors", "model_id": "BAAI/bge-m3", "dimensions": 1024}',
            "persist": False,
        },
        errors=(InvalidInput,),
    ),
    Operation(
        method="GET",
        path="/v1/model_registrations/{type}/{name:path}",
        handle=get_registration,
        summary="Tell all that is known of a model.",
        errors=(InvalidInput,),
    ),
    Operation(
        method="DELETE",
        path="/v1/model_registrations/{type}/{name:path}",
        handle=unregister,
        summary="Take a registration back.",
        errors=(InvalidInput,),
    ),
)
