"""The model that answers a request."""

from __future__ import annotations

from stelae.dialects.base import Rooms
from stelae.dialects.clip.asked import Asked
from stelae.dialects.clip.forms import D
from stelae.types import Modality, ModelInfo, ModelState, OutputType

USUAL = "ViT-B-32::openai"
"""What the original serves unless told otherwise."""

BOTH = frozenset({Modality.TEXT, Modality.IMAGE})


def model_of(asked: Asked[D], rooms: Rooms) -> str:
    """The model asked for, or the server's own choice.

    Raises:
        InvalidInput: ``model_name`` is no text.
    """
    return asked.model or rooms.clip_model or only(rooms.fleet.models()) or USUAL


def only(models: list[ModelInfo]) -> str | None:
    """The only model for texts and pictures: of those loaded, else of those registered."""
    able = [
        m for m in models if m.inputs and set(m.inputs) >= BOTH and OutputType.DENSE in m.outputs
    ]
    loaded = [model for model in able if model.state is ModelState.READY]
    for choice in (loaded, able):
        if len(choice) == 1:
            return choice[0].name
    return None
