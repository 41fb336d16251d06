"""Tokens of models by the ids that callers have: words for people, not for the device."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stelae.catalog.spec import ModelSpec
from stelae.catalog.wordpiece import open_tokenizer
from stelae.errors import InvalidInput, UnsupportedTask

if TYPE_CHECKING:
    from tokenizers import Tokenizer

KEPT = 4
"""Tokenizers that stay open; a large one takes a hundred megabytes."""


class Tokens:
    """Looks tokens up; tokenizers are opened when they are asked for.

    Args:
        most: Tokenizers that stay open, those last used.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._open: OrderedDict[str, Tokenizer] = OrderedDict()

    async def words(self, spec: ModelSpec, rows: Sequence[Sequence[int]]) -> list[list[str]]:
        """The tokens of some ids, row by row, as the vocabulary spells them.

        Args:
            spec: Whose tokens.
            rows: Ids of its tokenizer, special tokens included.

        Raises:
            UnsupportedTask: The model has no tokenizer in a file of its own.
            InvalidInput: An id is none of its tokens.
        """
        return await asyncio.to_thread(_words, spec.name, await self._tokenizer(spec), rows)

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


def _words(model: str, tokenizer: Tokenizer, rows: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[_word(model, tokenizer, i, f"input[{n}]") for i in row] for n, row in enumerate(rows)]


def _word(model: str, tokenizer: Tokenizer, number: int, place: str) -> str:
    word: str | None = tokenizer.id_to_token(number) if 0 <= number < 2**32 else None
    if word is None:
        count = tokenizer.get_vocab_size(with_added_tokens=True)
        raise InvalidInput(
            f"{place}: {number} is no token of model {model!r}, which has {count}", param="input"
        )
    return word
