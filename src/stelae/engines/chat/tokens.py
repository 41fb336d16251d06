"""Texts to tokens and back, as the engines of this room need it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer


class Tokens(Protocol):
    """A model's tokenizer; may be used in several threads at once."""

    def encode(self, text: str, *, plain: bool) -> list[int]:
        """The tokens of a text.

        Args:
            text: Special tokens written in it are read as such.
            plain: Whether it stands alone, so that the tokens come before and behind it which
                the checkpoint puts there; a chat template has written them already.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        ...


class FileTokens:
    """The tokenizer of a ``tokenizer.json``; see ``Tokens``."""

    def __init__(self, file: Path) -> None:
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, text: str, *, plain: bool) -> list[int]:
        """See ``Tokens``."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=plain).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See ``Tokens``."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text
