"""A model as the list at ``/v1/models`` shows it, which several protocols share."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from stelae.types import ModelInfo


class ListedModel(ModelInfo, frozen=True, kw_only=True):
    """A model as OpenAI's clients read it, with what Stelae knows of it beside.

    Attributes:
        id: The name to ask for.
        created: Unix time at which this server learnt of it.
        object: Always ``model``.
        owned_by: Always ``stelae``.
    """

    id: str
    created: int
    object: str
    owned_by: str


def listing(info: ModelInfo, created: float) -> dict[str, Any]:
    """The fields of a model as it is listed; ``created`` is in Unix time."""
    return {
        "id": info.name,
        "created": int(created),
        "object": "model",
        "owned_by": "stelae",
        **asdict(info),
    }
