"""Models that can be launched, as callers write and read them: pure, shared by both clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import quote, urlencode

import msgspec

from stelae.errors import InvalidInput
from stelae.types import CachedModel, Card, EngineFit, ModelKind, Registration
from stelae.wire import arrays

KINDS: tuple[str, ...] = get_args(ModelKind)


class CardList(msgspec.Struct, frozen=True):
    """What a server tells of models that can be launched."""

    cards: list[Card]


class RegistrationList(msgspec.Struct, frozen=True):
    """What users registered."""

    registrations: list[Registration]


class FitList(msgspec.Struct, frozen=True):
    """What each engine makes of a model."""

    engines: list[EngineFit]


class CachedList(msgspec.Struct, frozen=True):
    """Models whose files are here."""

    models: list[CachedModel]


def registration(given: Registration | Mapping[str, Any]) -> Registration:
    """A registration as it is asked for.

    Raises:
        InvalidInput: A field is missing, unknown or of the wrong type.
    """
    if isinstance(given, Registration):
        return given
    try:
        return msgspec.convert(dict(given), Registration)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise InvalidInput(f"registration: {error}", param="registration") from error


def body(given: Registration, persist: bool) -> bytes:
    """The body of a request to register a model."""
    return arrays.pack({**msgspec.structs.asdict(given), "persist": persist})


def listing(what: str, kind: str | None) -> str:
    """Where all of something are found, or those of a kind.

    Raises:
        InvalidInput: There is no such kind.
    """
    if kind is None:
        return what
    if kind not in KINDS:
        raise InvalidInput(f"kind={kind!r}: known are {', '.join(KINDS)}", param="kind")
    return f"{what}?{urlencode({'kind': kind})}"


def path(what: str, name: str) -> str:
    """Where one of something is found.

    Raises:
        InvalidInput: No name was given.
    """
    if not isinstance(name, str) or not name.strip("/. "):
        raise InvalidInput(f"name={name!r}: give a name", param="name")
    try:
        return f"{what}/{quote(name, safe='/')}"
    except UnicodeEncodeError as error:
        raise InvalidInput(f"name={name!r} is not text", param="name") from error


def cached(name: str | None) -> str:
    """Where the models are found whose files are here, or one of them."""
    return "cached" if name is None else f"cached?{urlencode({'model': name})}"
