"""Xinference's words for what models are for and what they can do, and ours."""

from __future__ import annotations

from collections.abc import Iterable

from stelae.errors import InvalidInput
from stelae.types import ModelKind

KINDS: dict[str, ModelKind] = {
    "LLM": "llm",
    "embedding": "embedding",
    "rerank": "rerank",
    "image": "image",
    "audio": "audio",
    "flexible": "extract",
}
"""Types of models that are served, in their words; ``flexible`` ones find things in items."""

TYPES: dict[ModelKind, str] = {kind: name for name, kind in KINDS.items()}

UNSERVED = ("video", "world")
"""Types that no engine serves."""

ABILITIES: dict[ModelKind, dict[str, tuple[str, ...]]] = {
    "image": {
        "text2image": ("text-to-image",),
        "image2image": ("image-to-image",),
        "inpainting": ("inpainting",),
        "ocr": ("ocr",),
    },
    "audio": {
        "audio2text": ("transcribe", "translate"),
        "text2audio": ("speak",),
        "text2audio_zero_shot": ("speak",),
        "text2audio_voice_cloning": ("speak",),
        "text2audio_emotion_control": ("speak",),
        "text2audio_voice_design": ("speak",),
    },
    "llm": {
        name: (name,)
        for name in (
            "generate",
            "chat",
            "tools",
            "vision",
            "reasoning",
            "hybrid",
            "audio",
            "omni",
        )
    },
}
"""What their words mean here; the first that fits is the one that we say."""


def kind_of(model_type: str) -> ModelKind:
    """What a type of models is here.

    Args:
        model_type: In their words, in any case.

    Raises:
        InvalidInput: There is no such type, or no engine serves it.
    """
    plain = model_type.strip().casefold()
    if plain in UNSERVED:
        raise InvalidInput(
            f"model_type={plain!r}: no engine of this server makes videos or worlds; served are "
            f"{', '.join(KINDS)}",
            param="model_type",
        )
    for name, kind in KINDS.items():
        if plain == name.casefold():
            return kind
    raise InvalidInput(
        f"model_type={model_type[:80]!r}: known are {', '.join((*KINDS, *UNSERVED))}",
        param="model_type",
    )


def abilities_read(kind: ModelKind, words: Iterable[str]) -> tuple[str, ...]:
    """What a model can do, from their words; those that mean nothing here are left out."""
    known = ABILITIES.get(kind, {})
    return tuple(dict.fromkeys(own for word in words for own in known.get(word, ())))


def abilities_told(kind: ModelKind, abilities: Iterable[str]) -> list[str]:
    """What a model can do, in their words."""
    told: dict[str, None] = {}
    for ability in abilities:
        words = ABILITIES.get(kind, {}).items()
        told |= dict.fromkeys([next((word for word, own in words if ability in own), ability)])
    return list(told)
