"""What models are for, in the words of the command line, and what lists tell of each kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stelae.errors import InvalidInput

if TYPE_CHECKING:
    from stelae.types import Card, ModelKind

WORDS: dict[str, ModelKind] = {
    "llm": "llm",
    "embedding": "embedding",
    "rerank": "rerank",
    "image": "image",
    "audio": "audio",
    "extract": "extract",
    "flexible": "extract",
}
"""Kinds by the words that people type, in any case."""

TYPES: dict[ModelKind, str] = {
    "llm": "LLM",
    "embedding": "embedding",
    "rerank": "rerank",
    "image": "image",
    "audio": "audio",
    "extract": "extract",
}
"""What the column ``Type`` shows."""

REGISTERED: dict[ModelKind, tuple[str, ...]] = {
    "llm": ("Language", "Ability"),
    "embedding": ("Language", "Dimensions"),
    "rerank": ("Language",),
    "image": ("Family",),
    "audio": ("Family", "Multilingual"),
    "extract": ("Ability",),
}
"""Columns of registrations between ``Name`` and ``Is-built-in``."""


def kind_of(word: str) -> ModelKind:
    """The kind that is meant.

    Raises:
        InvalidInput: There is no such kind.
    """
    if (kind := WORDS.get(word.strip().casefold())) is None:
        known = ", ".join(TYPES.values())
        raise InvalidInput(f"type={word[:40]!r} is none of {known}", param="type")
    return kind


def headings(kind: ModelKind) -> tuple[str, ...]:
    """The columns of a table of registrations."""
    return ("Type", "Name", *REGISTERED[kind], "Is-built-in")


def rows(kind: ModelKind, cards: Iterable[Card]) -> list[list[Any]]:
    """The rows of such a table."""
    return [
        [TYPES[kind], card.name, *(_fact(card, name) for name in REGISTERED[kind]), card.builtin]
        for card in cards
    ]


def _fact(card: Card, column: str) -> Any:
    match column:
        case "Language":
            return card.languages
        case "Ability":
            return card.abilities
        case "Dimensions":
            return card.dimensions
        case "Family":
            return card.family
        case _:
            return is_multilingual(card.languages)


def is_multilingual(languages: Iterable[str]) -> bool:
    """Whether a model was known to be made for several languages."""
    named = tuple(languages)
    return len(named) > 1 or "multilingual" in named
