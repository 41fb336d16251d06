"""From texts to windows of tokens beside the labels, and from logits to classes.

Source: gliclass 0.1.21, ``pipeline.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from stelae.catalog.backbone import positions
from stelae.catalog.gliclass import APART, LONGEST
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.extract.classes import Logits, ranked, sigmoid, softmax
from stelae.engines.extract.job import Entries
from stelae.engines.extract.options import LEAST_ROOM, check_count, labels_of, threshold_of
from stelae.engines.extract.spans import Ints
from stelae.engines.extract.windows import Windows, bound, overlap_of, plan
from stelae.engines.gliclass.loading import Tokenizers
from stelae.engines.text.intake import CHARS_PER_TOKEN
from stelae.errors import InvalidInput
from stelae.types import ExtractCall, Extraction

DECODERS = ("encoder-decoder", "encoder-decoder-cls")
"""Kinds that read the text and the labels on either side."""

LABEL, SEP, EXAMPLE = "<<LABEL>>", "<<SEP>>", "<<EXAMPLE>>"

SLACK = 8
"""Tokens of a window kept free: cut out of a text, its ends may be tokenised otherwise."""

NO_LIMIT = 2**31

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a text beside the labels, ready to run.

    Attributes:
        ids: Token ids, special tokens included.
        labels: How many labels stand there.
        beside: Token ids of what the model reads by itself: all labels in one row, or a row
            for each; nothing if they stand within the text.
    """

    ids: Ints
    labels: int
    beside: Rows = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """Labels as a model reads them.

    Attributes:
        text: What stands within the text.
        tokens: Its tokens with all special ones.
        rows: Token ids of what is read by itself.
    """

    text: str
    tokens: int
    rows: Rows = ()


class Tokens:
    """A checkpoint's tokens.

    Args:
        spec: The model.
        settings: The library's configuration.
        tokenizers: The checkpoint's own.
    """

    def __init__(self, spec: ModelSpec, settings: Any, tokenizers: Tokenizers) -> None:
        self.spec = spec
        self.first: bool = settings.prompt_first
        self._mark: int = settings.class_token_index
        alloc = settings.max_labels_alloc
        self._most: int | None = alloc if isinstance(alloc, int) else None
        self._kind: str = settings.architecture_type
        if alloc == "fixed" or self._kind in DECODERS:  # which make room for so many
            self._most = settings.max_num_classes
        self._tokenizer, self._labels = tokenizers.texts, tokenizers.labels
        self.prompt = lru_cache(maxsize=256)(self._prompt)
        table = settings.label_model_config and positions(settings.label_model_config.to_dict())
        self._longest: int = min(LONGEST, table or LONGEST)
        self.empty = len(self.ids(""))

    def ids(self, text: str) -> list[int]:
        """Ids of a text, special tokens included."""
        found: list[int] = self._tokenizer.encode(text).ids
        return found

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where each token of a text begins and ends."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        return list(found.offsets)

    def _prompt(self, labels: tuple[str, ...]) -> Prompt:
        """What stands beside a text.

        Raises:
            InvalidInput: There are too many labels, or one holds the library's marks.
        """
        if self._kind == APART:
            return self._apart(labels)
        if self._most is not None and len(labels) > self._most:
            raise self._too_many(labels, f"was trained for at most {self._most} at a time")
        prompt = "".join(f"{LABEL}{label}" for label in labels) + SEP
        ids = self.ids(prompt)
        if ids.count(self._mark) != len(labels):
            raise InvalidInput(
                f"labels: a label holds {LABEL!r}, which the model uses to tell labels apart; "
                "write it without",
                param="labels",
            )
        if self.spec.max_tokens - len(ids) < LEAST_ROOM:
            reason = f"reads {self.spec.max_tokens} tokens with the text, and they are {len(ids)}"
            raise self._too_many(labels, reason)
        if self._kind in DECODERS:
            return Prompt("", self.empty, (tuple(ids),))
        return Prompt(prompt, len(ids))

    def _apart(self, labels: tuple[str, ...]) -> Prompt:
        check_count(labels)
        rows = tuple(tuple(read.ids) for read in self._labels.encode_batch(list(labels)))
        if (longest := max(map(len, rows))) > self._longest:
            raise InvalidInput(
                f"labels: a label is {longest} tokens, and the encoder of labels of model "
                f"{self.spec.name!r} reads {self._longest}; say it in fewer words",
                param="labels",
            )
        return Prompt("", self.empty, rows)

    def _too_many(self, labels: tuple[str, ...], reason: str) -> InvalidInput:
        return InvalidInput(
            f"labels: {len(labels)} labels were given, and model {self.spec.name!r} {reason}; ask "
            "for fewer",
            param="labels",
        )


class ClassReading:
    """How the texts of one call are read.

    Args:
        call: What is asked; it has been checked.
        tokens: The checkpoint's tokens.

    Raises:
        InvalidInput: The labels cannot stand beside a text.
    """

    def __init__(self, call: ExtractCall, tokens: Tokens) -> None:
        self._tokens = tokens
        self._labels = labels_of(tokens.spec, call)
        self._exclusive = call.multi_label is False
        plain = self._exclusive and call.threshold is None
        self._threshold = 0.0 if plain else threshold_of(tokens.spec, call)
        self._prompt = tokens.prompt(self._labels)
        self._beside = self._prompt.tokens
        self._room = tokens.spec.max_tokens - self._beside

    def guess(self, text: str) -> int:
        return 1 + self._beside + len(text) // CHARS_PER_TOKEN

    def most(self, text: str) -> int:
        return bound(text, max(1, self._room - SLACK), NO_LIMIT)

    def windows(self, entries: int) -> int:
        return entries

    def read(self, text: str) -> Entries[Window]:
        text = _unmarked(text)
        places = self._tokens.places(text) if text.strip() else []
        if len(places) + SLACK <= self._room:
            return [self._window(text)] if places else []
        room = self._room - SLACK
        windows = plan([1] * len(places), room, room, overlap_of(room))
        return Windows(windows, lambda a, b: self._window(text[places[a][0] : places[b - 1][1]]))

    def _window(self, text: str) -> Prepared[Window]:
        beside = self._prompt.text
        parts = (beside, text) if self._tokens.first else (text, beside)
        ids = self._tokens.ids("".join(parts))
        over = len(ids) > self._tokens.spec.max_tokens
        if over:  # hardly ever: the ends of the text were tokenised very differently
            return self._window(text[: -max(1, len(text) // 16)])
        window = Window(np.array(ids, np.int64), len(self._labels), self._prompt.rows)
        return Prepared(window, cost=len(ids), tokens=len(ids))

    def gather(self, text: str, rows: Sequence[Logits]) -> Extraction:
        del text
        if not rows:
            return Extraction()
        logits = np.stack(rows).max(axis=0)
        scores = softmax(logits) if self._exclusive else sigmoid(logits)
        return Extraction(classifications=ranked(self._labels, scores, self._threshold))


def _unmarked(text: str) -> str:
    """A text in which nothing is read as one of the library's marks."""
    for mark in (LABEL, SEP, EXAMPLE):
        text = text.replace(mark, f"<< {mark[2:]}")
    return text
