"""Telephone tones and what they say: sound whose words are known, made without speech.

A key sounds for 0.4 seconds and is followed by 0.1 seconds without. A phrase ends at a pause, which
a blank makes, and after three digits: ``"31 4159"`` is " three one", " four one five" and " nine".
A steady high tone beneath says that the language is German.

Source: ITU-T Recommendation Q.23 (the pairs of frequencies of the keys).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
ROWS = (697, 770, 852, 941)
COLUMNS = (1209, 1336, 1477)
KEYS = ("123", "456", "789", "*0#")
GERMAN_PITCH = 3_000
"""Frequency of what lies beneath German phrases."""

TONE, GAP, PAUSE = 0.4, 0.1, 0.5
"""Seconds of a key, after it, and more for each blank."""

LONGEST = 3
"""Most digits of a phrase."""

NOISE = 0.01
WORDS = {
    "en": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "de": ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
}


@dataclass(frozen=True, slots=True)
class Phrase:
    """Up to ``LONGEST`` digits without a pause.

    Attributes:
        start: Seconds until the first sounds.
        end: Seconds until the last has sounded.
        digits: Which.
    """

    start: float
    end: float
    digits: str


def words(digits: str, language: str = "en") -> str:
    """What digits say; a blank stands before each word."""
    return "".join(f" {WORDS[language][int(digit)]}" for digit in digits if digit != " ")


def phrases(digits: str, lead: float = GAP) -> list[Phrase]:
    """When the phrases sound, in order.

    Args:
        digits: As ``dtmf`` takes them.
        lead: Seconds before the first.
    """
    found, begin = [], lead
    for part in re.findall(rf"\d{{1,{LONGEST}}}| ", digits):
        if part == " ":
            begin += PAUSE
            continue
        end = begin + len(part) * (TONE + GAP)
        found.append(Phrase(round(begin, 2), round(end - GAP, 2), part))
        begin = end
    return found


def dtmf(
    digits: str,
    seed: int = 0,
    *,
    lead: float = GAP,
    gain: float = 0.8,
    language: str = "en",
    noise: float = NOISE,
) -> NDArray[np.float32]:
    """The sound of keys.

    Args:
        digits: Which, with blanks for pauses.
        seed: Decides the noise.
        lead: Seconds before the first.
        gain: How loud.
        language: ``en`` or ``de``.
        noise: How loud the noise is, which is always there: a model that never met silence
            without any hears things in it.

    Returns:
        Samples of shape (N,) at ``RATE``.
    """
    said = phrases(digits, lead)
    end = lead + digits.count(" ") * PAUSE + sum(len(one.digits) for one in said) * (TONE + GAP)
    wave = np.zeros(round(end * RATE))
    for one in said:
        for place, digit in enumerate(one.digits):
            begin = round((one.start + place * (TONE + GAP)) * RATE)
            wave[begin : begin + round(TONE * RATE)] = key(digit)
    if language == "de":
        wave += 0.05 * np.sin(2 * np.pi * GERMAN_PITCH * np.arange(len(wave)) / RATE)
    hiss = np.random.default_rng(seed).normal(0, noise, len(wave))
    return (gain * wave + hiss).astype(np.float32)


def key(digit: str) -> NDArray[np.float64]:
    """The sound of one key, shape (``TONE`` times ``RATE``,)."""
    row = next(i for i, keys in enumerate(KEYS) if digit in keys)
    times = np.arange(round(TONE * RATE)) / RATE
    pair = (ROWS[row], COLUMNS[KEYS[row].index(digit)])
    return np.asarray(0.3 * sum(np.sin(2 * np.pi * pitch * times) for pitch in pair))
