"""A model as Xinference's clients read it: keys of all models, and those of its type."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from stelae.catalog.abilities import ImageMode
from stelae.catalog.variants import Wish, choose
from stelae.dialects.base import About, Rooms
from stelae.dialects.listing import listing
from stelae.dialects.xinference.kinds import TYPES, abilities_told
from stelae.dialects.xinference.schema import XinferenceModel
from stelae.dialects.xinference.words import abilities, name_of, type_of
from stelae.errors import InvalidInput, ModelNotFound
from stelae.types import Card, LaunchInfo, ModelInfo, ModelKind

GGUF = ".gguf"
_REVISION = re.compile(r"@(?P<revision>[^@/]+)$")

Launches = dict[str, LaunchInfo]
"""Launched models by uid."""


def launched(rooms: Rooms) -> Launches:
    """What is launched."""
    return {info.uid: info for info in rooms.launches.all()}


def models(rooms: Rooms) -> list[XinferenceModel]:
    """Every model that can be asked for, launched or not."""
    launches = launched(rooms)
    return [model(rooms, info, launches.get(info.name)) for info in rooms.fleet.models()]


def model(rooms: Rooms, info: ModelInfo, launch: LaunchInfo | None) -> XinferenceModel:
    """One model, with what it was launched for, if it was."""
    card = card_of(rooms, name_of(info, launch))
    kind = (launch and launch.call.kind) or type_of(info, card)
    return XinferenceModel(
        **listing(info, rooms.about.started if launch is None else launch.created),
        **_common(rooms, info, launch, card),
        **_of_kind(rooms, info, card, kind, launch),
        model_type=TYPES[kind],
    )


def card_of(rooms: Rooms, name: str) -> Card | None:
    """The facts of a well-known or registered model, if it is one."""
    try:
        return rooms.registry.card(name)
    except ModelNotFound:
        return None


def address_of(about: About) -> str:
    """Host and port that the server listens on."""
    return urlsplit(about.url).netloc or "127.0.0.1:0"


def _common(
    rooms: Rooms, info: ModelInfo, launch: LaunchInfo | None, card: Card | None
) -> dict[str, Any]:
    gpus = () if launch is None else [gpu for each in launch.replicas for gpu in each.gpus]
    return {
        "model_uid": info.name,
        "model_name": name_of(info, launch),
        "model_engine": info.engine or None,
        "address": address_of(rooms.about),
        "accelerators": sorted({str(gpu) for gpu in gpus}),
        "replica": 1 if launch is None else launch.call.replicas,
        "model_family": info.architecture if card is None else card.family,
        "model_description": "" if card is None else card.description,
        "model_hub": "local" if _is_local(info.source) else "huggingface",
        "model_revision": _revision(info.source),
    }


def _of_kind(
    rooms: Rooms,
    info: ModelInfo,
    card: Card | None,
    kind: ModelKind,
    launch: LaunchInfo | None,
) -> dict[str, Any]:
    able = abilities(info, card, kind) or painted(rooms, info.name)
    told: tuple[str, ...] = info.languages or (() if card is None else card.languages)
    languages = list(told)
    match kind:
        case "llm":
            return {
                **_variant(info, card, launch),
                "model_ability": able,
                "model_lang": languages,
                "context_length": (card and card.context) or info.max_tokens or None,
                "revision": _revision(info.source),
                "multimodal_projector": None,
                "strict_system_first": False,
            }
        case "embedding":
            return {**_variant(info, card, launch), "language": languages}
        case "rerank":
            return {**_variant(info, card, launch), "language": languages, "type": "normal"}
        case "image":
            return {"model_ability": able, "controlnet": None}
        case "audio":
            return {"model_ability": able, "language": languages}
        case "extract":
            return {"launcher": "stelae", "launcher_args": {}, "language": languages}


def painted(rooms: Rooms, name: str) -> list[str]:
    """What a model makes pictures of, as its checkpoint says."""
    return abilities_told("image", [m for m in ImageMode if name in rooms.fleet.painting(m)])


def _variant(info: ModelInfo, card: Card | None, launch: LaunchInfo | None) -> dict[str, Any]:
    """Format, size and quantisation: what was asked for, or what that came to."""
    wish = _wish(launch)
    found = None
    if card is not None and (wish or not _is_local(info.source)):
        with suppress(InvalidInput):  # a folder stands in for it that has other variants
            found = choose(card.name, card.variants, wish)
    if found is None:
        form = "ggufv2" if info.source.endswith(GGUF) else "pytorch"
        return {"model_format": form, "model_size_in_billions": None, "quantization": "none"}
    return {
        "model_format": found.format,
        "model_size_in_billions": whole(found.size),
        "quantization": found.quantization,
    }


def _wish(launch: LaunchInfo | None) -> Wish:
    if launch is None:
        return Wish()
    call = launch.call
    return Wish(format=call.format, size=call.size, quantization=call.quantization)


def _is_local(source: str) -> bool:
    """Whether the source of a model, read or not, is on this machine."""
    return source.startswith(("folder:", "embedded", "/", "~", "."))


def whole(size: float | None) -> float | None:
    """A size as it is written: without a fraction where it has none."""
    return int(size) if size is not None and size.is_integer() else size


def _revision(source: str) -> str | None:
    found = _REVISION.search(source)
    return None if found is None else found["revision"]
