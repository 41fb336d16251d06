"""Texts that commands bring along: odd ones to compare models on, plain ones to load them with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

Lengths = Literal["short", "passage", "mixed"]

ODD = (
    "hello",
    "The quick brown fox jumps over the lazy dog.",
    "",
    " ",
    "\n\t \n",
    "a",
    "?!… — “quoted” ‘single’ (brackets) [more] {curly}",  # noqa: RUF001
    "Ünïcödé àccénts çédille Straße İstanbul",
    "Привет, мир! Как дела сегодня?",
    "Καλημέρα κόσμε, τι κάνεις;",
    "你好，世界！今天的天气很好。",  # noqa: RUF001
    "こんにちは世界。カタカナとひらがなと漢字。",
    "안녕하세요 세계, 오늘 날씨가 좋네요.",
    "مرحبا بالعالم، كيف حالك اليوم؟",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "🎉🚀 emoji 👩‍👩‍👧‍👦 family 🇪🇺 flag 👍🏽 tone",
    "e\u0301 combining, \u200bzero width, \u00a0no-break, \ufb01 ligature, ﷽",
    "def f(x: int) -> int:\n    return x ** 2  # code\n",
    "https://example.com/a?b=c&d=%20e#f and name@example.com",
    "3.14159 -1,000,000.00 1e-9 0x1F 2024-02-29T12:00:00Z",
    "pneumonoultramicroscopicsilicovolcanoconiosis" * 3,
    "[CLS] [SEP] [PAD] [UNK] [MASK] <s> </s> <pad> <unk>",
    "NUL \x00 and bell \x07 and escape \x1b in a text",
    "x" * 500,
    "word " * 40,
    "ALL CAPITALS AND all small AND CamelCase",
)
"""Short texts of many scripts, and what tokenizers stumble over."""

WORDS = (  # noqa: SIM905  # two hundred words are easier to read without their quotes
    "the of and to in a is that for it as was with be by on not he his but at are this have from "
    "or had an they which one you were all her she there would their we him been has when who "
    "will no more if out so up said what its about than into them can only other time new some "
    "could these two may first then do any like my now over such our man me even most made after "
    "also did many off before must well back through years much where your way down should "
    "because long each just state people those too mr how little good world make very year still "
    "see work between life being under three never know same last another while us might great "
    "go come since against right came take used himself few house use place during without high "
    "again home around small however found part school general every once up water number"
).split()

RANGES: dict[str, tuple[float, float, int, int]] = {
    "short": (2.3, 0.4, 4, 24),
    "passage": (4.9, 0.3, 64, 300),
    "mixed": (3.9, 1.0, 6, 400),
}
"""Logarithm of the median, its spread, least and most words, by kind of length."""


def plain(count: int, lengths: Lengths, seed: int = 0) -> list[str]:
    """English-looking texts with log-normal lengths, the same for the same arguments."""
    dice = random.Random(seed)  # noqa: S311  # texts to measure with, no secrets
    return [_text(dice, _words(dice, lengths)) for _ in range(count)]


def _words(dice: random.Random, lengths: Lengths) -> int:
    middle, spread, least, most = RANGES[lengths]
    return max(least, min(most, round(dice.lognormvariate(middle, spread))))


def _text(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(WORDS, k=words)).capitalize() + "."


def varied(count: int, longest: int) -> list[str]:
    """Texts to compare two engines on: the odd ones, then plain ones up to far too long.

    Args:
        count: How many; the first ``len(ODD)`` are the odd ones.
        longest: Tokens that the model reads; the longest texts have more words.
    """
    dice = random.Random(1)  # noqa: S311  # texts to compare with, no secrets
    over = [longest - 2, longest, longest + 1, 2 * longest + 100]
    return [*_take(count, ODD), *(_text(dice, n) for n in _sizes(dice, over, count - len(ODD)))]


def _take(count: int, texts: tuple[str, ...]) -> tuple[str, ...]:
    return texts[: max(0, count)]


def _sizes(dice: random.Random, first: list[int], count: int) -> Iterator[int]:
    for number in range(count):
        yield first[number] if number < len(first) else _words(dice, "mixed")
