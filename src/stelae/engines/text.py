"""From the items of a call to token ids ready to run: the same for every text engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.embedding import check_call, choose_prompt, item_error
from stelae.errors import InputTooLong, StelaeError, UnsupportedCheckpoint
from stelae.types import EncodeCall, Item, Truncate

CHARS_PER_TOKEN = 3
"""Characters of a token in plain prose, rather too few; for guesses before tokenising."""


LIGHT_ITEMS = 16
LIGHT_TOKENS = 4096
"""A call of no more items and tokens is light: it is tokenised in about a millisecond."""


@dataclass(frozen=True, slots=True)
class Features:
    """One text, ready to run.

    Attributes:
        ids: Token ids, special tokens included.
        prompt: Tokens at the start that belong to the prompt, special ones included.
        truncated: Whether something was cut.
    """

    ids: NDArray[np.int32]
    prompt: int = 0
    truncated: bool = False


class Tokenizer(Protocol):
    """Texts to ids, without special tokens and without a limit of its own.

    Attributes:
        vocabulary: Number of ids.
        prefix: Special tokens before a text.
        suffix: Special tokens after a text.
    """

    vocabulary: int
    prefix: list[int]
    suffix: list[int]

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> Sequence[Sequence[int]]:
        """Ids of each text.

        Of a text that is surely longer than ``room``, only the part that
        ``truncate`` keeps need be read, and more than ``room`` ids of it.
        """
        ...


class TextIntake:
    """Prepares the items of encode calls for one model.

    Args:
        spec: The model.
        tokenizer: Its tokenizer.

    Raises:
        UnsupportedCheckpoint: The special tokens leave no room for a text.
    """

    def __init__(self, spec: ModelSpec, tokenizer: Tokenizer) -> None:
        self.spec, self.tokenizer = spec, tokenizer
        self.specials = len(tokenizer.prefix) + len(tokenizer.suffix)
        self.room = spec.max_tokens - self.specials
        if self.room < 1:
            raise UnsupportedCheckpoint(
                f"model {spec.name!r}: max_tokens={spec.max_tokens} leaves no room for a text "
                f"beside {self.specials} special tokens"
            )

    def estimate(self, call: EncodeCall) -> int:
        """A guess of a call's tokens, never more than the model reads."""
        limit = self.spec.max_tokens
        return sum(min(limit, self.specials + 1 + _guess(item)) for item in call.items)

    def light(self, call: EncodeCall) -> bool:
        """Whether the call's texts are few and short, whatever of them is kept in the end."""
        items = call.items
        return len(items) <= LIGHT_ITEMS and sum(map(_guess, items)) <= LIGHT_TOKENS

    def prepare(self, call: EncodeCall) -> list[Prepared[Features]]:
        """Features or the error of each item, in order.

        Raises:
            InvalidInput: The call as a whole cannot be run.
        """
        check_call(self.spec, call)
        prompt = choose_prompt(self.spec, call)
        prompt_ids = self._read([prompt], call.truncate)[0] if prompt else ()
        errors = [item_error(item, self.tokenizer.vocabulary) for item in call.items]
        texts = [
            prompt + item.text
            for item, error in zip(call.items, errors, strict=True)
            if error is None and item.text is not None
        ]
        read = iter(self._read(texts, call.truncate))
        return [
            _prepared(error or self._item(item, read, call.truncate, prompt_ids))
            for item, error in zip(call.items, errors, strict=True)
        ]

    def _read(self, texts: Sequence[str], truncate: Truncate) -> Sequence[Sequence[int]]:
        return self.tokenizer.read(texts, self.room, truncate)

    def _item(
        self, item: Item, read: Iterator[Sequence[int]], truncate: Truncate, prompt: Sequence[int]
    ) -> Features | StelaeError:
        """Given ids stand as they are, without a prompt."""
        if item.token_ids is not None:
            return self.frame(item.token_ids, truncate)
        return self.frame(next(read), truncate, prompt)

    def frame(
        self, ids: Sequence[int], truncate: Truncate, prompt: Sequence[int] = ()
    ) -> Features | StelaeError:
        """Put special tokens around ids, cut to the limit if the policy allows.

        Cutting at the start cuts the text, never its prompt.
        """
        cut = len(ids) > self.room
        if cut and truncate is Truncate.ERROR:
            return InputTooLong(
                f"the text has {len(ids)} tokens, the model reads at most {self.room} beside "
                f"{self.specials} special ones; shorten it or choose truncate 'end' or 'start'",
                param="items",
                details={"tokens": len(ids), "max_tokens": self.room},
            )
        kept = min(len(prompt), self.room)
        if cut and truncate is Truncate.START:
            ids = [*prompt[:kept], *ids[len(ids) - (self.room - kept) :]]
        elif cut:
            ids = ids[: self.room]
        whole = np.array([*self.tokenizer.prefix, *ids, *self.tokenizer.suffix], np.int32)
        return Features(whole, len(self.tokenizer.prefix) + kept if kept else 0, cut)


def _prepared(found: Features | StelaeError) -> Prepared[Features]:
    if isinstance(found, StelaeError):
        return Prepared(None, error=found)
    count = len(found.ids)
    return Prepared(found, cost=max(1, count), tokens=count, truncated=found.truncated)


def _guess(item: Item) -> int:
    if item.text is not None:
        return len(item.text) // CHARS_PER_TOKEN
    return len(item.token_ids or ())
