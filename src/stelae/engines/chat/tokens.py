"""Texts to tokens and back, as the engines of this room need it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from tokenizers import Tokenizer

from stelae.engines.chat.typed import Renamed, shown, spelled

NOTHING: Mapping[str, str] = MappingProxyType({})


class Tokens(Protocol):
    """A model's tokenizer; may be used in several threads at once."""

    @property
    def spelled(self) -> re.Pattern[str] | None:
        """Finds special tokens that must not be typed; ``None`` if they may."""
        ...

    def encode(self, text: str, *, plain: bool, typed: Mapping[str, str] = NOTHING) -> list[int]:
        """The tokens of a text.

        Args:
            text: Special tokens written in it are read as such.
            plain: Whether it stands alone, so that the tokens come before and behind it which
                the checkpoint puts there; a chat template has written them already.
            typed: What stands in place of some letters, none of it special tokens.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, special ones left out, save those that are signs in a text."""
        ...


class FileTokens:
    """The tokenizer of a ``tokenizer.json``; see ``Tokens``.

    Args:
        file: Where it is.
        kept: Special tokens that are signs in a text, such as those around a call of a tool.
    """

    def __init__(self, file: Path, kept: Collection[str] = ()) -> None:
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        special = {i for i, t in self._tokenizer.get_added_tokens_decoder().items() if t.special}
        self._kept = {i for text in kept if (i := self._tokenizer.token_to_id(text)) in special}
        self._left_out = special - self._kept
        added = self._tokenizer.get_added_tokens_decoder()
        self._specials = {added[i].content: i for i in special}
        self._spelled = spelled(self._specials)

    @property
    def spelled(self) -> re.Pattern[str] | None:
        """See ``Tokens``."""
        return self._spelled

    def encode(self, text: str, *, plain: bool, typed: Mapping[str, str] = NOTHING) -> list[int]:
        """See ``Tokens``."""
        if typed and self._renamed is not None:
            return self._renamed.encode(text, typed, plain=plain)
        ids: list[int] = self._tokenizer.encode(shown(text, typed), add_special_tokens=plain).ids
        return ids

    @cached_property
    def _renamed(self) -> Renamed | None:
        """Made when special tokens are first typed; ``None`` where that cannot be done."""
        try:
            return Renamed(self._tokenizer, self._specials)
        except ValueError:
            return None

    def decode(self, ids: Sequence[int]) -> str:
        """See ``Tokens``."""
        if not self._kept.isdisjoint(ids):
            return self._decoded([i for i in ids if i not in self._left_out])
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    @property
    def file(self) -> str:
        """What its ``tokenizer.json`` says; texts are neither cut nor filled up."""
        made: str = self._tokenizer.to_str()
        return made

    def _decoded(self, ids: Sequence[int]) -> str:
        """The text of tokens, all of them; those that there are not have none."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text
