"""A call to extract, on its way through an engine: its texts in windows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from stelae.engines.base import Prepared
from stelae.engines.extract.options import item_error
from stelae.engines.text.intake import LIGHT_TOKENS, light
from stelae.errors import InputTooLong, StelaeError
from stelae.types import ExtractCall, Extraction, ExtractResult, Item, Truncate, Usage

F = TypeVar("F")
R = TypeVar("R")
Seen = TypeVar("Seen", contravariant=True)


class Entries(Protocol[F]):
    """Entries of one text, in order; each is asked for once."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Prepared[F]: ...


class Reading(Protocol[F, Seen]):
    """How one engine reads the texts of one call."""

    def guess(self, text: str) -> int:
        """A cheap guess of the tokens that will run for a text; at least 1."""
        ...

    def most(self, text: str) -> int:
        """Most entries that a text can need."""
        ...

    def read(self, text: str) -> Entries[F]:
        """The entries of a text, in order; none if it has no words.

        Raises:
            StelaeError: The text cannot be run.
        """
        ...

    def windows(self, entries: int) -> int:
        """Windows that so many entries of one text stand for."""
        ...

    def gather(self, text: str, rows: Sequence[Seen]) -> Extraction:
        """What a text holds, from the rows of its entries."""
        ...


LEFT_OUT = "left_out"
"""Field of an answer that counts what was not looked at, for there was too much of it."""


class _Nothing:
    """The row of an entry that was set aside and is not needed."""


NOTHING = _Nothing()


class ExtractJob(Generic[F, R]):
    """One entry per window of each item, or several if the engine says so.

    How many windows a text needs is known when it is tokenised, and the number of
    entries before; so there are as many as it can need, and those left are settled at
    once.

    Args:
        call: What is asked; it has been checked.
        reading: How texts are read.
        model: Name of the model.
        fingerprint: What is served.
    """

    def __init__(
        self, call: ExtractCall, reading: Reading[F, R], model: str, fingerprint: str
    ) -> None:
        self._call, self._reading = call, reading
        self._model, self._fingerprint = model, fingerprint
        counts = [1 if item_error(item) else reading.most(item.text or "") for item in call.items]
        self._starts = [0, *accumulate(counts)]
        self._read: tuple[int, Entries[F]] = (-1, [])

    @property
    def size(self) -> int:
        return self._starts[-1]

    @property
    def estimate(self) -> int:
        return sum(self._reading.guess(item.text or "") for item in self._call.items)

    @property
    def light(self) -> bool:
        return light(self._call.items) and self.estimate <= LIGHT_TOKENS

    def prepare(self, start: int, stop: int) -> list[Prepared[F]]:
        return [self._entry(index) for index in range(start, min(stop, self.size))]

    def _entry(self, index: int) -> Prepared[F]:
        item = bisect_right(self._starts, index) - 1
        if self._read[0] != item:
            self._read = (item, self._entries(self._call.items[item], item))
        place = index - self._starts[item]
        entries = self._read[1]
        return entries[place] if place < len(entries) else Prepared(None, row=NOTHING)

    def _entries(self, item: Item, index: int) -> Entries[F]:
        try:
            if (error := item_error(item)) is not None:
                raise error
            entries = self._reading.read(item.text or "")
            self._check(entries, self._starts[index + 1] - self._starts[index])
        except StelaeError as error:
            return [Prepared(None, error=error)]
        return entries

    def _check(self, entries: Entries[F], most: int) -> None:
        """Refuse a text that is too long, if the call wants that, or strangely long."""
        count = self._reading.windows(len(entries))
        if count > 1 and self._call.truncate is Truncate.ERROR:
            raise InputTooLong(
                f"the text needs {count} windows of the model's length; shorten it or leave "
                "truncate out, so that it is read in windows that overlap",
                param="items",
            )
        if len(entries) > most:
            raise InputTooLong(
                "the text has far more tokens than letters; give it in parts", param="items"
            )

    def finish(
        self, prepared: Sequence[Prepared[F]], rows: Sequence[R | StelaeError]
    ) -> ExtractResult:
        errors: dict[int, StelaeError] = {}
        found: list[Extraction] = []
        tokens = np.zeros(len(self._call.items), np.int32)
        for index, item in enumerate(self._call.items):
            here = slice(self._starts[index], self._starts[index + 1])
            error = _error(prepared[here], rows[here])
            if error is not None:
                errors[index] = error
                found.append(Extraction())
                continue
            tokens[index] = sum(entry.tokens for entry in prepared[here])
            found.append(self._reading.gather(item.text or "", _good(rows[here])))
        return ExtractResult(
            model=self._model,
            fingerprint=self._fingerprint,
            items=tuple(found),
            tokens=tokens,
            truncated=np.array(
                [
                    LEFT_OUT in item.data or any(p.truncated for p in prepared[a:b])
                    for item, (a, b) in zip(found, self._pairs(), strict=True)
                ],
                np.bool_,
            ),
            errors={i: error.info for i, error in errors.items()},
            usage=Usage(tokens=int(tokens.sum())),
        )

    def _pairs(self) -> list[tuple[int, int]]:
        return list(zip(self._starts, self._starts[1:], strict=False))


def _good(rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if row is not NOTHING]


def _error(prepared: Sequence[Prepared[Any]], rows: Sequence[Any]) -> StelaeError | None:
    """Why an item failed: as its first window did."""
    for entry, row in zip(prepared, rows, strict=True):
        if entry.error is not None:
            return entry.error
        if isinstance(row, StelaeError):
            return row
    return None
