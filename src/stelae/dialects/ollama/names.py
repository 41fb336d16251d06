"""Names of models: as clients of this protocol write them, and as the house knows them."""

from __future__ import annotations

from stelae.errors import InvalidInput, ModelNotFound
from stelae.service.fleet import Fleet
from stelae.types import ModelInfo

LATEST = ":latest"
"""What clients add to names that have no tag."""

HUBS = ("hf.co/", "huggingface.co/")
"""What stands before the names of models on the hub."""


def bare(name: str) -> str:
    """A name without what this protocol puts around it."""
    for hub in HUBS:
        name = name.removeprefix(hub)
    return name.removesuffix(LATEST)


def find(fleet: Fleet, name: str) -> ModelInfo:
    """The model of a name; a model or a profile that has the name as it stands comes first.

    Raises:
        ModelNotFound: There is none.
        InvalidInput: It has no such profile.
    """
    return fleet.model(known(fleet, name))


def known(fleet: Fleet, name: str) -> str:
    """The name that the house knows.

    Raises:
        StelaeError: As for ``find``.
    """
    if not name:
        raise InvalidInput("model is missing: name one", param="model")
    short = bare(name)
    if short == name:
        return name
    try:
        fleet.model(name)
    except (ModelNotFound, InvalidInput):
        fleet.model(short)
        return short
    return name
