"""Models as Xinference's clients know them: their documents, of well-known ones too."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.dialects.xinference.documents import EXTRA, registration_of
from stelae.dialects.xinference.kinds import TYPES, abilities_told
from stelae.errors import InvalidInput
from stelae.types import Card, Registration, Variant


def document_of(card: Card, registration: Registration | None = None) -> dict[str, Any]:
    """The document of a model, version 2.

    Args:
        card: The model's facts.
        registration: What a user registered, if it is not well-known: what the document said
            that it was made of is said again as it was.
    """
    own = {} if registration is None else _own(registration)
    made = {
        "version": 2,
        "model_name": card.name,
        "model_description": card.description or None,
        **_FACTS[card.kind](card),
        "model_specs": [_spec(variant) for variant in card.variants],
    }
    return {**made, **own}


def _own(registration: Registration) -> dict[str, Any]:
    """What its author wrote of a model: the document, if it was made of one."""
    if (paper := registration.extra.get(EXTRA)) is None:
        return _particulars(registration)
    try:  # what came in our own words may have anything among its extras
        made = registration_of(TYPES[registration.kind], msgspec.json.encode(paper).decode())
    except InvalidInput:
        return _particulars(registration)
    own: dict[str, Any] = made.extra[EXTRA]
    return own if made == registration else _particulars(registration)


def _particulars(registration: Registration) -> dict[str, Any]:
    """What cards do not say of a model that was registered in our own words."""
    if registration.kind != "llm":
        return {}
    return {
        "chat_template": registration.chat_template,
        "stop": list(registration.stops),
        "tool_parser": registration.tool_format,
    }


def _spec(variant: Variant) -> dict[str, Any]:
    """A variant; where there is but one quantisation, it is named by itself too."""
    local = variant.hub.startswith("/")
    only = variant.quantizations[0] if len(variant.quantizations) == 1 else None
    templates = ("model_file_name_template", "model_file_name_split_template")
    return {
        "model_format": variant.format,
        "model_size_in_billions": _size(variant.size),
        "quantizations": list(variant.quantizations),
        "quantization": only,
        "model_id": None if local else variant.hub,
        "model_uri": f"file://{variant.hub}" if local else None,
        "model_hub": "huggingface",
        "model_revision": variant.revision,
        **dict(zip(templates, variant.files, strict=False)),
    }


def _size(size: float | None) -> int | str | None:
    """Billions of parameters as their clients write them: ``7``, or ``"1_8"``."""
    if size is None:
        return None
    return int(size) if size == int(size) else f"{size:g}".replace(".", "_")


def _language(card: Card) -> dict[str, Any]:
    return {
        "context_length": card.context,
        "model_lang": list(card.languages),
        "model_ability": abilities_told(card.kind, card.abilities),
        "model_family": card.family or card.name,
        "architectures": list(card.architectures),
    }


def _embedding(card: Card) -> dict[str, Any]:
    return {
        "dimensions": card.dimensions,
        "max_tokens": card.context,
        "language": list(card.languages),
    }


def _rerank(card: Card) -> dict[str, Any]:
    return {"type": "normal", "max_tokens": card.context, "language": list(card.languages)}


def _image(card: Card) -> dict[str, Any]:
    return {
        **_place(card),
        "language": list(card.languages),
        "model_family": card.family.replace("-", "_"),
        "model_ability": abilities_told(card.kind, card.abilities),
        "controlnet": None,
    }


def _audio(card: Card) -> dict[str, Any]:
    several = len(card.languages) > 1 or "multilingual" in card.languages
    return {
        **_place(card),
        "language": list(card.languages),
        "model_family": card.family,
        "model_ability": abilities_told(card.kind, card.abilities),
        "multilingual": several,
    }


def _flexible(card: Card) -> dict[str, Any]:
    return {
        **_place(card),
        "language": list(card.languages),
        "model_family": card.family,
        "model_ability": list(card.abilities),
        "launcher": None,
        "launcher_args": None,
    }


def _place(card: Card) -> dict[str, Any]:
    """Where the weights are, of models that come in few variants."""
    spec = _spec(card.variants[0])
    known = ("model_id", "model_uri", "model_hub", "model_revision")
    return {name: spec[name] for name in known}


_FACTS = {
    "llm": _language,
    "embedding": _embedding,
    "rerank": _rerank,
    "image": _image,
    "audio": _audio,
    "extract": _flexible,
}
