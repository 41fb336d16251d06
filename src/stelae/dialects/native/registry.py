"""Models that can be launched: their facts, registrations, engines, and files that are here."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import Decoder, decode, read
from stelae.dialects.native import convert
from stelae.errors import Conflict, Forbidden, InvalidInput, ModelNotFound, NotFound
from stelae.types import CachedModel, Card, EngineFit, ModelKind, Registration


class RegisterRequest(Registration, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model to register.

    Attributes:
        persist: Whether it outlives the server.
    """

    persist: bool = True


class RegistrationsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What users registered, the oldest first."""

    registrations: list[Registration]


class CardsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Models that can be launched, by name."""

    cards: list[Card]


class EnginesResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What each engine makes of a model, in the order in which they are tried."""

    engines: list[EngineFit]


class CachedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Models whose files are in the cache of the hub."""

    models: list[CachedModel]


_REGISTER: dict[convert.Media, Decoder[RegisterRequest]] = {
    convert.Media.JSON: msgspec.json.Decoder(RegisterRequest),
    convert.Media.MSGPACK: msgspec.msgpack.Decoder(RegisterRequest),
}


def _kind(request: Request) -> ModelKind | None:
    """The kind that is asked for, if one is.

    Raises:
        InvalidInput: There is no such kind.
    """
    given = request.query_params.get("kind")
    for kind in get_args(ModelKind):
        if given == kind:
            return kind  # type: ignore[no-any-return]  # one of the words it was made of
    if given is None:
        return None
    raise InvalidInput(
        f"kind={given[:80]!r}: known are {', '.join(get_args(ModelKind))}", param="kind"
    )


async def register(request: Request, rooms: Rooms) -> Response:
    """Register a model."""
    asked = decode(_REGISTER[convert.sent(request)], await read(request))
    fields: dict[str, Any] = {name: getattr(asked, name) for name in Registration.__struct_fields__}
    card = await rooms.registry.register(Registration(**fields), persist=asked.persist)
    return convert.answer(card, request)


async def list_registrations(request: Request, rooms: Rooms) -> Response:
    """What users registered."""
    found = rooms.registry.registrations(_kind(request))
    return convert.answer(RegistrationsResponse(registrations=found), request)


async def get_registration(request: Request, rooms: Rooms) -> Response:
    """What a user registered."""
    return convert.answer(rooms.registry.registration(request.path_params["name"]), request)


async def unregister(request: Request, rooms: Rooms) -> Response:
    """Take a registration back, and tell what it said."""
    name = request.path_params["name"]
    return convert.answer(await rooms.registry.unregister(name, _kind(request)), request)


async def list_cards(request: Request, rooms: Rooms) -> Response:
    """Models that can be launched."""
    return convert.answer(CardsResponse(cards=rooms.registry.cards(_kind(request))), request)


async def get_card(request: Request, rooms: Rooms) -> Response:
    """The facts of a model that can be launched."""
    card = rooms.registry.card(request.path_params["name"], _kind(request))
    return convert.answer(card, request)


async def list_engines(request: Request, rooms: Rooms) -> Response:
    """What each engine makes of a model."""
    found = await rooms.registry.engines(request.path_params["name"], _kind(request))
    return convert.answer(EnginesResponse(engines=found), request)


async def list_cached(request: Request, rooms: Rooms) -> Response:
    """Models whose files are in the cache of the hub."""
    found = await rooms.registry.cached(request.query_params.get("model"))
    return convert.answer(CachedResponse(models=found), request)


async def remove_cached(request: Request, rooms: Rooms) -> Response:
    """Remove the files of a model from the cache, and tell what they were."""
    return convert.answer(await rooms.registry.uncache(request.path_params["version"]), request)


_BOTH = ("application/json", "application/msgpack")
_REGISTRATIONS = "/stelae/v1/registrations"

REGISTRY_OPERATIONS = (
    Operation(
        method="POST",
        path=_REGISTRATIONS,
        handle=register,
        summary="Register a model by a name of its own.",
        request=RegisterRequest,
        example={
            "name": "my-embedder",
            "kind": "embedding",
            "weights": [{"source": "sentence-transformers/all-MiniLM-L12-v2"}],
            "languages": ["en"],
            "dimensions": 384,
            "persist": False,
        },
        response=Card,
        errors=(InvalidInput, Forbidden, Conflict),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path=_REGISTRATIONS,
        handle=list_registrations,
        summary="List what users registered; `?kind=` picks a kind.",
        response=RegistrationsResponse,
        errors=(InvalidInput,),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path=f"{_REGISTRATIONS}/{{name:path}}",
        handle=get_registration,
        summary="Describe one registration.",
        response=Registration,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="DELETE",
        path=f"{_REGISTRATIONS}/{{name:path}}",
        handle=unregister,
        summary="Take a registration back.",
        response=Registration,
        errors=(ModelNotFound, Forbidden),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/cards",
        handle=list_cards,
        summary="List the models that can be launched; `?kind=` picks a kind.",
        response=CardsResponse,
        errors=(InvalidInput,),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/cards/{name:path}",
        handle=get_card,
        summary="Describe a model that can be launched.",
        response=Card,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/engines/{name:path}",
        handle=list_engines,
        summary="Tell which engines serve which variants of a model, and why not the others.",
        response=EnginesResponse,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/cached",
        handle=list_cached,
        summary="List models whose files are in the cache of the hub; `?model=` picks one.",
        response=CachedResponse,
        media=_BOTH,
    ),
    Operation(
        method="DELETE",
        path="/stelae/v1/cached/{version:path}",
        handle=remove_cached,
        summary="Remove the files of a model from the cache of the hub.",
        response=CachedModel,
        errors=(NotFound, Conflict, Forbidden),
        media=_BOTH,
    ),
)
