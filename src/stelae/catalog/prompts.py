"""Prompts: of the checkpoint, of its authors, of the person who serves it."""

from __future__ import annotations

import msgspec

from stelae.catalog.entry import ModelEntry
from stelae.catalog.family import Advice
from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput

PLACE = "{instruction}"


def prompted(spec: ModelSpec, entry: ModelEntry, advice: Advice | None) -> ModelSpec:
    """The same model with the prompts that it is to have.

    Those of the entry go before the checkpoint's; what its authors say counts where
    the checkpoint itself has no prompt.

    Raises:
        InvalidInput: The entry's prompts are not what they should be.
    """
    prompts, notes = _prompts(spec, entry, advice)
    default = entry.default_prompt or spec.default_prompt
    if default is not None and default not in prompts:
        raise InvalidInput(
            f"default_prompt={default!r}: model {entry.name!r} has the prompts "
            f"{', '.join(sorted(prompts)) or 'none'}",
            param="default_prompt",
        )
    return msgspec.structs.replace(
        spec,
        prompts=prompts,
        default_prompt=default,
        instruction=_instruction(entry, advice),
        notes=(*spec.notes, *notes),
    )


def _prompts(
    spec: ModelSpec, entry: ModelEntry, advice: Advice | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    if entry.prompts:
        return spec.prompts | entry.prompts, (f"prompts as set: {_names(entry.prompts)}",)
    if advice is not None and advice.prompts and not any(spec.prompts.values()):
        note = (
            f"the checkpoint has no prompts; {_names(advice.prompts)}: as the authors of "
            f"{advice.family} advise"
        )
        return spec.prompts | advice.prompts, (note,)
    return spec.prompts, ()


def _names(prompts: dict[str, str]) -> str:
    return ", ".join(prompts)


def _instruction(entry: ModelEntry, advice: Advice | None) -> str | None:
    if entry.instruction is not None and entry.instruction.count(PLACE) != 1:
        raise InvalidInput(
            f"instruction={entry.instruction!r}: the place {PLACE} is expected once",
            param="instruction",
        )
    return entry.instruction or (None if advice is None else advice.instruction)
