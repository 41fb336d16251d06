"""Queries and documents of plain words, which share more words or fewer."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tiny.wordpiece import TEXT

WORDS = tuple(word for word in TEXT.split() if len(word) > 1)
DOCUMENT_WORDS = 8
DOCUMENTS = 4


@dataclass(frozen=True, slots=True)
class Group:
    """A query and its documents, all equally long.

    Attributes:
        query: Words without order.
        documents: Texts; no two share as many words with the query.
        shares: Share of the query's words that each has, 0 to 1.
    """

    query: str
    documents: tuple[str, ...]
    shares: tuple[float, ...]


def group(rng: random.Random) -> Group:
    """A new query of 3 to 6 words, and documents in random order."""
    count = rng.randint(DOCUMENTS - 1, 6)
    words = rng.sample(WORDS, count)
    shared = rng.sample(range(count + 1), DOCUMENTS)
    documents = tuple(_document(words, number, rng) for number in shared)
    return Group(" ".join(words), documents, tuple(number / count for number in shared))


def _document(query: list[str], shared: int, rng: random.Random) -> str:
    others = [word for word in WORDS if word not in query]
    words = rng.sample(query, shared) + rng.sample(others, DOCUMENT_WORDS - shared)
    rng.shuffle(words)
    return " ".join(words)
