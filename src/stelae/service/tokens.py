"""Tokens of models for callers to look at: words for people, not for the device."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stelae.catalog.spec import ModelSpec
from stelae.catalog.wordpiece import open_tokenizer
from stelae.errors import InvalidInput, UnsupportedTask

if TYPE_CHECKING:
    from tokenizers import Tokenizer

KEPT = 4
"""Tokenizers that stay open; a large one takes a hundred megabytes."""


class Token(NamedTuple):
    """A token of a text.

    Attributes:
        id: Its number.
        text: The letters that it stands for, or its own name.
        special: Whether the tokenizer adds it, so that it stands for no letters.
        start: Where its letters begin in the text.
        stop: Where they end.
    """

    id: int
    text: str
    special: bool
    start: int
    stop: int


class Tokens:
    """Looks tokens up; tokenizers are opened when they are asked for.

    Args:
        most: Tokenizers that stay open, those last used.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._open: OrderedDict[str, Tokenizer] = OrderedDict()

    async def words(
        self, spec: ModelSpec, rows: Sequence[Sequence[int]], place: str = "input"
    ) -> list[list[str]]:
        """The tokens of some ids, row by row, as the vocabulary spells them.

        Args:
            spec: Whose tokens.
            rows: Ids of its tokenizer, special tokens included.
            place: Where they were sent, for errors.

        Raises:
            UnsupportedTask: The model has no tokenizer in a file of its own.
            InvalidInput: An id is none of its tokens.
        """
        tokenizer = await self._tokenizer(spec)
        return await asyncio.to_thread(_words, spec.name, tokenizer, rows, place)

    async def read(
        self, spec: ModelSpec, texts: Sequence[str], *, specials: bool = True
    ) -> list[list[Token]]:
        """The tokens of some texts, whole; prompts are not added.

        Args:
            spec: Whose tokens.
            texts: The texts.
            specials: Whether tokens that the tokenizer adds are told too.

        Raises:
            UnsupportedTask: The model has no tokenizer in a file of its own.
        """
        return await asyncio.to_thread(_read, await self._tokenizer(spec), texts, specials)

    async def texts(
        self,
        spec: ModelSpec,
        rows: Sequence[Sequence[int]],
        *,
        specials: bool = False,
        place: str = "ids",
    ) -> list[str]:
        """The texts that ids stand for.

        Args:
            spec: Whose tokens.
            rows: Ids of its tokenizer.
            specials: Whether tokens that stand for no letters are written too.
            place: Where they were sent, for errors.

        Raises:
            UnsupportedTask: The model has no tokenizer in a file of its own.
            InvalidInput: An id is none of its tokens.
        """
        await self.words(spec, rows, place)
        return await asyncio.to_thread(_texts, await self._tokenizer(spec), rows, specials)

    async def _tokenizer(self, spec: ModelSpec) -> Tokenizer:
        if not spec.tokenizer:
            raise UnsupportedTask(
                f"model {spec.name!r} has no tokenizer in a file of its own", param="model"
            )
        file = Path(spec.folder, spec.tokenizer)
        found = self._open.pop(str(file), None)
        if found is None:
            found = await asyncio.to_thread(open_tokenizer, file, spec.words)
        self._open[str(file)] = found
        while len(self._open) > self._most:
            self._open.popitem(last=False)
        return found


def _read(tokenizer: Tokenizer, texts: Sequence[str], specials: bool) -> list[list[Token]]:
    return [_tokens(tokenizer, text, specials) for text in texts]


def _tokens(tokenizer: Tokenizer, text: str, specials: bool) -> list[Token]:
    found = tokenizer.encode(text, add_special_tokens=specials)
    rows = zip(found.ids, found.tokens, found.special_tokens_mask, found.offsets, strict=True)
    return [
        Token(number, word if special else text[start:stop], bool(special), start, stop)
        for number, word, special, (start, stop) in rows
    ]


def _texts(tokenizer: Tokenizer, rows: Sequence[Sequence[int]], specials: bool) -> list[str]:
    return [tokenizer.decode(list(row), skip_special_tokens=not specials) for row in rows]


def _words(
    model: str, tokenizer: Tokenizer, rows: Sequence[Sequence[int]], place: str
) -> list[list[str]]:
    return [
        [_word(model, tokenizer, i, f"{place}[{n}]", place) for i in row]
        for n, row in enumerate(rows)
    ]


def _word(model: str, tokenizer: Tokenizer, number: int, place: str, param: str) -> str:
    word: str | None = tokenizer.id_to_token(number) if 0 <= number < 2**32 else None
    if word is None:
        count = tokenizer.get_vocab_size(with_added_tokens=True)
        raise InvalidInput(
            f"{place}: {number} is no token of model {model!r}, which has {count}", param=param
        )
    return word
