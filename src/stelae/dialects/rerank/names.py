"""The model that answers a request, where its client may name none."""

from __future__ import annotations

from collections.abc import Callable

from stelae.errors import InvalidInput
from stelae.service.fleet import Fleet
from stelae.types import ModelInfo, ModelState, OutputType, Task

Can = Callable[[ModelInfo], bool]

SHOWN = 8
"""Names of models that a message shows."""


def ranks(model: ModelInfo) -> bool:
    """Whether a model reads query and document together and says how well they fit."""
    return Task.SCORE in model.tasks and Task.ENCODE not in model.tasks and not model.labels


def makes(*kinds: OutputType) -> Can:
    """Whether a model makes one of these representations."""
    return lambda model: Task.ENCODE in model.tasks and bool({*kinds} & {*model.outputs})


def model_for(fleet: Fleet, named: str | None, can: Can) -> str:
    """The model asked for, or the only one that can: of those loaded, else of those registered.

    Of a model whose checkpoint was not read yet nobody knows what it can.

    Args:
        fleet: The models.
        named: What the caller says, if anything.
        can: Whether a model can answer.

    Raises:
        InvalidInput: Nobody says which of several, or there is none.
    """
    if named:
        return named
    able = [model for model in fleet.models() if can(model)]
    loaded = [model for model in able if model.state is ModelState.READY]
    unread = [model for model in fleet.models() if can(model) or not model.architecture]
    for choice in (loaded, able, unread):
        if len(choice) == 1:
            return choice[0].name
    names = ", ".join(model.name for model in (loaded or unread)[:SHOWN]) or "none here"
    raise InvalidInput(
        f"model is missing, and it is not plain which one is meant (those that can: {names})",
        param="model",
        hint='name one in the field "model"',
    )
