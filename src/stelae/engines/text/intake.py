"""From texts to token ids ready to run: special tokens, markers, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from stelae.catalog.operations import Marking
from stelae.catalog.spec import Fill, ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.text.features import DENSE, Features, Tokenizer
from stelae.engines.text.media import Media, is_media
from stelae.errors import InputTooLong, InvalidInput, StelaeError, UnsupportedCheckpoint
from stelae.types import Item, OutputType, Role, Truncate

CHARS_PER_TOKEN = 3
"""Characters of a token in plain prose, rather too few; for guesses before tokenising."""

LIGHT_ITEMS = 16
LIGHT_TOKENS = 4096
"""A call of no more items and tokens is light: it is tokenised in about a millisecond."""

Ids = Sequence[int]


class Intake:
    """Reads texts, pictures and recordings for one model.

    Args:
        spec: The model.
        tokenizer: Its tokenizer.
        media: Reads its pictures or recordings, if it has any.

    Raises:
        UnsupportedCheckpoint: The special tokens leave no room for a text.
    """

    def __init__(self, spec: ModelSpec, tokenizer: Tokenizer, media: Media | None = None) -> None:
        self.spec, self.tokenizer, self.media = spec, tokenizer, media
        self._framed = lru_cache(64)(spec.framed)
        self.specials = len(tokenizer.prefix) + len(tokenizer.suffix)
        self.room = spec.max_tokens - self.specials
        if self.room < 1:
            raise UnsupportedCheckpoint(
                f"model {spec.name!r}: max_tokens={spec.max_tokens} leaves no room for a text "
                f"beside {self.specials} special tokens"
            )

    def guess(self, item: Item) -> int:
        """A guess of the tokens that will run for an item, never more than the model reads."""
        if self.media is not None and is_media(item):
            return self.media.tokens
        if self.spec.fill is not None:
            return self.spec.max_tokens
        return min(self.spec.max_tokens, self.specials + 1 + guess(item))

    def read(self, texts: Sequence[str], truncate: Truncate) -> Sequence[Ids]:
        """Ids of each text, without special tokens and not yet cut."""
        return self.tokenizer.read(texts, self.spec.max_tokens, truncate)

    def single(
        self,
        ids: Ids,
        truncate: Truncate,
        prompt: Ids = (),
        outputs: tuple[OutputType, ...] = DENSE,
        role: Role | None = None,
        longest: int | None = None,
    ) -> Features | StelaeError:
        """One text between special tokens, cut to the limit if the policy allows.

        Args:
            ids: The text's own ids, those of its prompt included.
            truncate: What to do if it is too long.
            prompt: Ids of its prompt; cutting at the start cuts the text, never this.
            outputs: What is wanted.
            role: The side it stands on.
            longest: Most tokens in all, where that is fewer than the model reads.
        """
        before, after = self._frame(outputs, role)
        marking = self.marking(outputs, role)
        marks: Ids = () if marking is None else marking.ids
        specials = len(before) + len(after) + len(marks)
        limit = min(self.spec.max_tokens, longest or self.spec.max_tokens)
        if marking is not None:
            limit = min(limit, marking.max_tokens)
        room = limit - specials
        if room < 1:
            return _no_room(limit, specials)
        kept = min(len(prompt), room)
        cut = len(ids) > room
        if cut and truncate is Truncate.ERROR:
            return _too_long(len(ids), room, specials)
        if cut and truncate is Truncate.START:
            ids = [*prompt[:kept], *ids[len(ids) - (room - kept) :]]
        elif cut:
            ids = ids[:room]
        whole = [*before, *marks, *ids, *after]
        if (refused := self._unknown(whole)) is not None:
            return refused
        if not whole and self._framed(outputs, role):
            return InvalidInput("the text has no tokens for this model; give some text")
        seen = len(whole)
        if marking is not None and marking.expand is not None:
            whole += [marking.expand] * (marking.expand_to - seen)
        start = len(before) + len(marks)
        filled = Features(
            np.array(whole, np.int32),
            prompt=start + kept if kept else 0,
            truncated=cut,
            outputs=outputs,
            role=role,
            seen=None if marking is None or marking.attend_expansion else seen,
        )
        return filled if self.spec.fill is None else self._filled(filled, self.spec.fill)

    def _filled(self, text: Features, fill: Fill) -> Features:
        """A text of the one length that the model reads."""
        count = len(text.ids)
        gap = np.full(self.spec.max_tokens - count, fill.token, np.int32)
        return replace(
            text,
            ids=np.concatenate([gap, text.ids] if fill.left else [text.ids, gap]),
            prompt=text.prompt + len(gap) if fill.left and text.prompt else text.prompt,
            seen=None if fill.seen else count,
        )

    def _unknown(self, ids: Ids) -> InvalidInput | None:
        """Why the model cannot read a text, if that holds a token that it has no vector for."""
        surplus = self.tokenizer.surplus
        wrong = next((i for i in ids if i in surplus), None) if surplus else None
        if wrong is None:
            return None
        return InvalidInput(
            f"the text has the token {surplus[wrong]!r}, number {wrong}; the weights of this model "
            f"have vectors of 0..{self.tokenizer.vocabulary - 1}; take it out of the text",
            param="items",
        )

    def _frame(self, outputs: tuple[OutputType, ...], role: Role | None) -> tuple[Ids, Ids]:
        """Special tokens before and after a text."""
        if not self._framed(outputs, role):
            return (), ()
        return self.tokenizer.prefix, self.tokenizer.suffix

    def marking(self, outputs: tuple[OutputType, ...], role: Role | None) -> Marking | None:
        """How texts are marked when these outputs are made of them, if they are."""
        late = self.spec.marking
        if late is None or OutputType.MULTIVECTOR not in outputs:
            return None
        return late.query if role is Role.QUERY else late.document

    def pair(self, first: Ids, second: Ids, truncate: Truncate) -> Features | StelaeError:
        """Two texts read together; if they are too long, the longer one is cut first."""
        tokenizer = self.tokenizer
        specials = self.specials + len(tokenizer.middle)
        room = self.spec.max_tokens - specials
        cut = len(first) + len(second) > room
        if cut and truncate is Truncate.ERROR:
            return _too_long(len(first) + len(second), room, specials)
        if cut:
            one, other = shares(len(first), len(second), room)
            first, second = _cut(first, one, truncate), _cut(second, other, truncate)
        start = len(tokenizer.prefix) + len(first) + len(tokenizer.middle)
        whole = [*tokenizer.prefix, *first, *tokenizer.middle, *second, *tokenizer.suffix]
        if (refused := self._unknown(whole)) is not None:
            return refused
        return Features(
            np.array(whole, np.int32),
            truncated=cut,
            outputs=(),
            second=start if tokenizer.typed else None,
        )

    def asked(
        self, ids: Ids, prefix: Ids, suffix: Ids, truncate: Truncate
    ) -> Features | StelaeError:
        """A question between the fixed ends of a prompt; of a long one the end is cut."""
        room = self.spec.max_tokens - len(prefix) - len(suffix)
        cut = len(ids) > room
        if cut and truncate is Truncate.ERROR:
            return _too_long(len(ids), room, len(prefix) + len(suffix))
        whole = [*prefix, *ids[:room], *suffix]
        if (refused := self._unknown(whole)) is not None:
            return refused
        return Features(np.array(whole, np.int32), truncated=cut, outputs=())


def shares(first: int, second: int, room: int) -> tuple[int, int]:
    """Tokens that two texts keep if they have ``room`` together: the longer one gives first.

    Source: the ``longest_first`` strategy of ``tokenizers``, an odd token going to
    the longer text (to the second of two equals).
    """
    short, long = sorted((first, second))
    if short > room // 2:
        short = room // 2
    long = room - short
    return (long, short) if first > second else (short, long)


def _cut(ids: Ids, keep: int, truncate: Truncate) -> Ids:
    if len(ids) <= keep:
        return ids
    return ids[len(ids) - keep :] if truncate is Truncate.START else ids[:keep]


def _too_long(tokens: int, room: int, specials: int) -> InputTooLong:
    return InputTooLong(
        f"the text has at least {tokens} tokens, the model reads at most {room} beside "
        f"{specials} special ones; shorten it or choose truncate 'end' or 'start'",
        param="items",
        details={"tokens": tokens, "max_tokens": room},
    )


def _no_room(limit: int, specials: int) -> InvalidInput:
    return InvalidInput(
        f"max_tokens={limit} leaves no room for a text beside {specials} special tokens; "
        f"choose {specials + 1} or more",
        param="max_tokens",
    )


def prepared(found: Features | StelaeError) -> Prepared[Features]:
    """An entry for the queue, or its refusal."""
    if isinstance(found, StelaeError):
        return Prepared(None, error=found)
    count = len(found.ids)
    return Prepared(found, cost=max(1, count), tokens=count, truncated=found.truncated)


def guess(item: Item) -> int:
    """A guess of an item's tokens, whatever the model reads."""
    if item.text is not None:
        return len(item.text) // CHARS_PER_TOKEN
    return len(item.token_ids or ())


def light(items: Sequence[Item]) -> bool:
    """Whether items are few and short texts, whatever of them is kept in the end."""
    if any(map(is_media, items)):
        return False
    return len(items) <= LIGHT_ITEMS and sum(map(guess, items)) <= LIGHT_TOKENS
