"""Texts to sentences, so that sound comes sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

END = re.compile(
    r"""
    (?: (?<!\b\w)\. | [!?…] ) [.!?…]* ["'”’»)\]]* \s+  # not the stop of an initial
    | [。！？]+ ["'”’»）」』]*  # no space follows these
    | \s*\n\s*
    """,  # noqa: RUF001  # signs as people write them
    re.VERBOSE,
)

PAUSE = re.compile(r"[,;:—–、，；：]\s*")  # noqa: RUF001  # signs as people write them
SPACE = re.compile(r"\s+")


def sentences(text: str, most: int) -> list[str]:
    """Cut a text behind its sentences.

    Args:
        text: The text.
        most: Letters of a part; longer sentences are cut too, behind a comma or its like if
            there is one, else at a space, else anywhere.

    Returns:
        The parts in order; nothing of the text is lost but space around them.
    """
    ends = [match.end() for match in END.finditer(text)]
    parts = (text[a:b].strip() for a, b in zip([0, *ends], [*ends, len(text)], strict=True))
    return [short for part in parts if part for short in _short(part, most)]


def _short(sentence: str, most: int) -> Iterator[str]:
    while len(sentence) > most:
        place = _place(sentence[: most + 1], most)
        yield sentence[:place].rstrip()
        sentence = sentence[place:].lstrip()
    if sentence:
        yield sentence


def _place(start: str, most: int) -> int:
    """Where to cut: the last pause in the second half, or else the last space."""
    for kind in (PAUSE, SPACE):
        places = [match.end() for match in kind.finditer(start) if most // 2 < match.end() <= most]
        if places:
            return places[-1]
    return most
