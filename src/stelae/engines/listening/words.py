"""Tokens that were said at known times to words."""

from __future__ import annotations

from stelae.engines.listening.hearer import Aligned
from stelae.engines.listening.vocabulary import Vocabulary
from stelae.types import Word

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages whose words are written without blanks between them: each character counts."""

OPENING = frozenset("\"'“¿([{-")
"""Marks that belong to the word behind them."""

CLOSING = frozenset("\"'.,!?:”)]}。、\uff0c\uff01\uff1f\uff1a")
"""Marks that belong to the word before them; the last four are the wide ones of Chinese."""


def words_of(
    texts: list[list[int]],
    aligned: Aligned,
    vocabulary: Vocabulary,
    language: str | None,
    begin: float,
    within: tuple[float, float],
) -> list[list[Word]]:
    """Words of each text of a window.

    Args:
        texts: Tokens of the texts, in order.
        aligned: When these are said, all in a row.
        vocabulary: Of the model.
        language: Code of the language, if that is known.
        begin: Seconds at which the window begins.
        within: Those between which all of this is said.
    """
    found: list[list[Word]] = []
    first = 0
    for text in texts:
        words = []
        for part in _joined(_parts(text, vocabulary, spaced=language not in UNSPACED), vocabulary):
            last = first + len(part)
            start, stop = (_kept(begin + aligned.times[i], within) for i in (first, last))
            chances = aligned.probabilities[first:last]
            words.append(
                Word(
                    word=vocabulary.decode(part),
                    start=round(start, 3),
                    end=round(max(start, stop), 3),
                    probability=sum(chances) / len(chances),
                )
            )
            first = last
        found.append(words)
    return found


def _kept(time: float, within: tuple[float, float]) -> float:
    return max(within[0], min(time, within[1]))


def _parts(text: list[int], vocabulary: Vocabulary, *, spaced: bool) -> list[list[int]]:
    """Tokens of each word: whole characters, and up to the next blank where there are any."""
    parts: list[list[int]] = []
    waiting: list[int] = []
    for token in text:
        waiting.append(token)
        said = vocabulary.decode(waiting)
        if ("\ufffd" in said or not said.strip()) and len(waiting) < LONGEST:
            continue  # a character is whole only with its next token, a blank belongs to a word
        if spaced and parts and said[:1].strip() and not _is_mark(said):
            parts[-1] += waiting
        else:
            parts.append(waiting)
        waiting = []
    return [*parts, waiting] if waiting else parts


LONGEST = 4
"""Tokens of a character at most: its bytes."""


def _is_mark(said: str) -> bool:
    return said.strip() in OPENING | CLOSING


def _joined(parts: list[list[int]], vocabulary: Vocabulary) -> list[list[int]]:
    """Punctuation with the words that it belongs to."""
    joined: list[list[int]] = []
    opening: list[int] = []
    for part in parts:
        said = vocabulary.decode(part)
        mark, apart = said.strip(), said.startswith(" ")
        if mark in CLOSING and not apart and joined and not opening:
            joined[-1] = [*joined[-1], *part]
        elif mark in OPENING and (apart or mark not in CLOSING):
            opening += part
        else:
            joined.append([*opening, *part])
            opening = []
    return [*joined, opening] if opening else joined
