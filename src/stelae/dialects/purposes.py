"""What a vector is for, as clients say it: the side of a search, or a task that has a prompt.

Cohere says ``search_query``, Jina ``retrieval.query``, Voyage ``query``, and others are near.
"""

from __future__ import annotations

import re
from typing import Any

from stelae.errors import InvalidInput
from stelae.service.fleet import Fleet
from stelae.types import Role

ROLES = {
    "query": Role.QUERY,
    "document": Role.DOCUMENT,
    "passage": Role.DOCUMENT,
}
"""Sides of a search, by the last word of a purpose."""

OTHERS = ("classification", "clustering", "separation", "text-matching", "image")
"""Purposes that mean nothing to a model without a prompt for them."""

_LAST = re.compile(r"[a-z]+$")


async def purpose_fields(fleet: Fleet, model: str, told: str | None, field: str) -> dict[str, Any]:
    """The fields of a call that a purpose stands for; a prompt of that very name counts most.

    Args:
        fleet: Knows the prompts.
        model: Name of the model.
        told: The purpose, if one is told.
        field: Where it is told, for errors.

    Raises:
        InvalidInput: The word is not known, and the model has no such prompt.
        StelaeError: The model's checkpoint cannot be read.
    """
    if told is None:
        return {}
    prompts = (await fleet.spec(model)).prompts
    if told in prompts:
        return {"prompt_name": told}
    last = _LAST.search(told)
    if last is not None and (role := ROLES.get(last[0])) is not None:
        return {"role": role}
    if told in OTHERS:
        return {}
    raise InvalidInput(
        f"{field}={told[:64]!r} is not known: a word that ends in query, document or passage, "
        f"or one of {', '.join((*OTHERS, *prompts))} was expected",
        param=field,
    )
