"""What is read of every checkpoint that speaks, whatever its layout."""

from __future__ import annotations

from dataclasses import dataclass, field

from stelae.catalog.abilities import Speaking
from stelae.catalog.files import Json
from stelae.catalog.options import need
from stelae.errors import ModelLoadFailed

VOICE = "default"
"""Name of the voice of a model that has none of its own."""

RATES = (4_000, 192_000)
"""Samples per second that sound is made with."""


@dataclass(frozen=True, slots=True)
class Voicing:
    """How a model reads aloud.

    Attributes:
        speaking: For all to see.
        sentence: Letters that are read at once; longer sentences are read in parts.
        tokenizer: The file that texts are read with.
        more: What its engine needs beside ``config.json``, by name.
    """

    speaking: Speaking
    sentence: int
    tokenizer: str
    more: Json = field(default_factory=dict)


def rate_of(config: Json, key: str, file: str) -> int:
    """Samples per second.

    Raises:
        ModelLoadFailed: They are not stated, or impossible.
    """
    rate = need(config, key, int, file)
    if not RATES[0] <= rate <= RATES[1]:
        raise ModelLoadFailed(f"{file} sets {key}={rate}; {RATES[0]} to {RATES[1]} was expected")
    return rate
