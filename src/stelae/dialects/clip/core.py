"""One way from a request to its answer, whatever carried it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from stelae.dialects.clip.asked import ENCODE, Asked, Told, Visit
from stelae.dialects.clip.encode import encode
from stelae.dialects.clip.rank import rank
from stelae.dialects.clip.search import choose, delete, index, search, status, update

Verb = Callable[[Asked[Any], Visit, Told], Awaitable[None]]

VERBS: dict[str, Verb] = {
    ENCODE: encode,
    "rank": rank,
    "index": index,
    "search": search,
    "update": update,
    "delete": delete,
    "filter": choose,
    "status": status,
}


async def answer(asked: Asked[Any], visit: Visit, told: Told) -> None:
    """Do what is asked for with the documents, where they lie.

    Args:
        asked: The request; its documents are filled.
        visit: Who asks.
        told: Filled with what is said beside the documents.

    Raises:
        StelaeError: Nothing of it could be done.
    """
    for doc in asked.docs:
        asked.form.id(doc)
    await VERBS.get(asked.verb, encode)(asked, visit, told)
