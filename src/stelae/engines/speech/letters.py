"""Texts in the letters that a model knows; none that would be heard is dropped."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from stelae.errors import InvalidInput

APOSTROPHES = "'’ʼ‘＇"  # noqa: RUF001  # signs as people write them
TOLD = 20
"""Unknown letters that a refusal lists."""


class Letters:
    """Reads texts for models whose tokens are letters.

    What has no sound of its own and is unknown becomes a space: commas, brackets, stops; an
    apostrophe, which stands within a word, becomes nothing. What would be heard and is unknown
    is refused: letters of another script, digits, signs.

    Args:
        known: Whether the model knows a letter.
        advice: What to do about others.
    """

    def __init__(self, known: Callable[[str], bool], advice: str) -> None:
        self._known, self._advice = known, advice
        self._met: dict[str, str | None] = {}

    def read(self, text: str) -> str:
        """A text as the model can read it; empty if there is nothing to hear in it.

        Raises:
            InvalidInput: It has letters that the model does not know.
        """
        letters = [
            (letter, self._as_known(letter)) for letter in unicodedata.normalize("NFC", text)
        ]
        unknown = dict.fromkeys(letter for letter, known in letters if known is None)
        if unknown:
            raise InvalidInput(_refusal(list(unknown), self._advice), param="text")
        return " ".join("".join(known or "" for _, known in letters).split())

    def _as_known(self, letter: str) -> str | None:
        if letter not in self._met:
            self._met[letter] = self._look(letter)
        return self._met[letter]

    def _look(self, letter: str) -> str | None:
        if not letter.isspace() and self._known(letter):
            return letter
        if letter in APOSTROPHES:
            return "'" if self._known("'") else ""
        match unicodedata.category(letter)[0]:
            case "P" | "Z":
                return " "
            case "C":
                return " " if letter.isspace() else ""
            case _:
                return None


def _refusal(unknown: list[str], advice: str) -> str:
    told = ", ".join(f"{letter!r}" for letter in unknown[:TOLD])
    more = f" and {len(unknown) - TOLD} more" if len(unknown) > TOLD else ""
    return f"text has letters that this model cannot read: {told}{more}; {advice}"
