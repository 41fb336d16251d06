"""Real prose for the comparisons, from what every Python installation carries.

The words are those of the language reference (``pydoc_data.topics``) and of the
descriptions of the installed packages; passages are runs of whole words cut to
a wanted number of tokens. Deterministic for one environment.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import distributions
from pydoc_data.topics import topics

from tokenizers import Tokenizer

WORD = re.compile(r"[A-Za-z][a-z'-]*[,.;:?!]?$")

LENGTHS: dict[str, Callable[[random.Random], int]] = {
    "short": lambda rng: rng.randint(8, 16),
    "passage": lambda rng: int(min(160, max(96, rng.gauss(128, 10)))),
    "mixed": lambda rng: int(min(510, max(8, rng.lognormvariate(math.log(64), 1.0)))),
    "wide": lambda rng: int(min(2000, max(1, rng.lognormvariate(math.log(100), 1.4)))),
}
"""How many tokens a text of each kind has."""


@cache
def words() -> list[str]:
    """Words of prose in order; paragraphs that are mostly code are left out."""
    pages = [topics[name] for name in sorted(topics)]
    packages = {d.metadata["Name"]: d.metadata.get_payload() for d in distributions()}
    pages += [str(packages[name]) for name in sorted(packages) if packages[name]]
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", "\n\n".join(pages)):
        parts = paragraph.split()
        if len(parts) >= 12 and sum(map(bool, map(WORD.match, parts))) > 0.8 * len(parts):
            found += parts
    return found


def texts(kind: str, count: int, tokenizer: Tokenizer, seed: int = 7) -> list[str]:
    """Texts of one kind.

    Args:
        kind: A key of ``LENGTHS``.
        count: How many.
        tokenizer: Counts the tokens, two special ones included.
        seed: Chooses the passages.
    """
    rng = random.Random(seed)
    return [_cut(LENGTHS[kind](rng), tokenizer, rng) for _ in range(count)]


def _cut(tokens: int, tokenizer: Tokenizer, rng: random.Random) -> str:
    start = rng.randrange(len(words()) - tokens)
    text = " ".join(words()[start : start + tokens])
    ends = tokenizer.encode(text, add_special_tokens=False).offsets
    return text[: ends[min(len(ends), max(1, tokens - 2)) - 1][1]]
