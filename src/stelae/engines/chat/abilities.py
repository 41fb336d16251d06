"""What an engine that writes can be asked for, beyond going on with texts."""

from __future__ import annotations

from enum import StrEnum

from stelae.errors import InvalidInput
from stelae.types import ChatCall, NamedTool


class Ability(StrEnum):
    """What not every engine can do."""

    STRUCTURE = "structure"
    IMAGES = "images"
    LORA = "lora"
    LOGPROBS = "logprobs"
    LOGIT_BIAS = "logit_bias"
    MIN_P = "min_p"
    SEED = "seed"
    PROMPT_TOKENS = "prompt_tokens"


ALL = frozenset(Ability)

SAID = {Ability.IMAGES: "messages show pictures"}
"""What is said of a call, where the parameter alone does not say it."""


def refuse(call: ChatCall, able: frozenset[Ability], engine: str) -> None:
    """Refuse a call that asks an engine for what it cannot do.

    Raises:
        InvalidInput: It does; the message names what.
    """
    for ability, param in _asked(call).items():
        if ability not in able:
            said = SAID.get(ability, f"{param} is asked for")
            raise InvalidInput(
                f"{said}, which the engine {engine!r} of this model cannot do",
                param=param,
                hint="leave it out, or serve the model with another engine",
            )


def _asked(call: ChatCall) -> dict[Ability, str]:
    """What a call needs, and the parameter that says so."""
    how = call.sampling
    forced = call.tool_choice == "required" or isinstance(call.tool_choice, NamedTool)
    asked = {
        Ability.STRUCTURE: "tool_choice" if forced else call.structure and "response_format",
        Ability.IMAGES: any(message.images for message in call.messages) and "messages",
        Ability.LORA: call.lora is not None and "lora",
        Ability.LOGPROBS: how.logprobs and "logprobs",
        Ability.LOGIT_BIAS: how.logit_bias and "logit_bias",
        Ability.MIN_P: how.min_p and "min_p",
        Ability.PROMPT_TOKENS: call.prompt_tokens and "prompt",
        Ability.SEED: how.seed is not None and how.temperature > 0 and "seed",
    }
    return {ability: param for ability, param in asked.items() if param}
