"""Models that users add to the catalog of a server."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.types.card import ModelKind


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the weights of a model are, in one format and size.

    Attributes:
        source: Hub id, folder or GGUF file.
        format: Format of the weights.
        size: Size in billions of parameters, if it has several.
        quantizations: What there is to choose; ``none`` for weights as they are.
        revision: Commit, tag or branch of a hub id.
        files: Patterns of the GGUF file of each quantisation, by its name.
    """

    source: str
    format: str = "pytorch"
    size: float | None = None
    quantizations: tuple[str, ...] = ("none",)
    revision: str | None = None
    files: dict[str, str] = {}


class Registration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model by a name of its own, with the facts that lists show.

    Attributes:
        name: The name it is launched by.
        kind: What it is for: ``llm``, ``embedding``, ``rerank``, ``extract``, ``image`` or
            ``audio``.
        weights: Where they are; one entry at least.
        description: A sentence for people.
        family: Whose model it is.
        languages: Codes of the languages it was made for.
        abilities: What it can do, in the words of its kind.
        context: Longest input in tokens.
        dimensions: Width of its vectors.
        chat_template: Template of conversations, in place of the checkpoint's.
        stops: Texts that end what it writes.
        tool_format: Format in which it calls tools.
        extra: What its author wrote beside, kept for those who read the registration back.
    """

    name: str
    kind: ModelKind
    weights: tuple[Weights, ...]
    description: str = ""
    family: str = ""
    languages: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    context: int | None = None
    dimensions: int | None = None
    chat_template: str | None = None
    stops: tuple[str, ...] = ()
    tool_format: str | None = None
    extra: dict[str, Any] = {}
