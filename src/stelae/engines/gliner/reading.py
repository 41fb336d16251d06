"""From texts to windows of tokens, and from what is seen there to places in the text.

Source: gliner 0.2.24, ``data_processing/processor.py``, for prompts and words.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from stelae.catalog.backbone import positions
from stelae.catalog.spec import ModelSpec
from stelae.catalog.tokenizer import UNLIMITED
from stelae.engines.base import Prepared
from stelae.engines.extract.job import LEFT_OUT, Entries
from stelae.engines.extract.options import LEAST_ROOM, check_count, labels_of, threshold_of
from stelae.engines.extract.spans import Ints, merged, selected
from stelae.engines.extract.windows import Windows, bound, overlap_of, plan
from stelae.engines.gliner.features import Asked, Links, Row, Window
from stelae.engines.gliner.relations import related
from stelae.engines.gliner.splitting import Splitter
from stelae.engines.text.intake import CHARS_PER_TOKEN
from stelae.errors import InvalidInput
from stelae.types import Entity, ExtractCall, Extraction, Relation


class Words:
    """A checkpoint's words and tokens.

    Args:
        spec: The model.
        library: The library's model.
    """

    def __init__(self, spec: ModelSpec, library: Any) -> None:
        self.spec, self.config = spec, library.config
        self._processor = library.data_processor
        self._splitter = Splitter(library.config.words_splitter_type)
        self._tokens = library.data_processor.transformer_tokenizer.backend_tokenizer
        self._tokens.no_truncation()
        self._tokens.no_padding()
        self._marks = {
            "labels": (library.config.class_token_index, "ent_token"),
            "relations": (getattr(library.config, "rel_token_index", -1), "rel_token"),
        }
        self._apart = _label_reader(library)
        self.prompt = lru_cache(maxsize=256)(self._prompt)

    def split(self, text: str) -> tuple[list[str], Ints]:
        """Words of a text, and where each begins and ends, shape ``(W, 2)``."""
        found = self._splitter(text)
        places = np.array([(start, end) for _, start, end in found], np.int64)
        return [word for word, _, _ in found], places.reshape(-1, 2)

    def tokens(self, words: Sequence[str]) -> tuple[Ints, Ints]:
        """Ids of words between special tokens, and the word of each token or -1."""
        # One text as a batch: only then does the library let other threads go on.
        (read,) = self._tokens.encode_batch([list(words)], is_pretokenized=True)
        owners = [-1 if word is None else word for word in read.word_ids]
        return np.array(read.ids, np.int64), np.array(owners, np.int64)

    def _prompt(self, labels: tuple[str, ...], relations: tuple[str, ...]) -> tuple[str, ...]:
        """Words that stand before a text and say what is looked for.

        Raises:
            InvalidInput: They leave no room for a text, or a label has the library's marks.
        """
        if self._apart is not None:
            check_count(labels)
            self._check_lengths(labels, *self._apart)
            return ()
        ((words, *_), _) = self._processor.prepare_inputs([[]], list(labels), relations=relations)
        ids, _ = self.tokens(words)
        for name, given in (("labels", labels), ("relations", relations)):
            self._check_marks(name, given, ids)
        if self.spec.max_tokens - len(ids) < LEAST_ROOM:
            raise InvalidInput(
                f"labels: {len(labels) + len(relations)} labels are {len(ids)} tokens, and model "
                f"{self.spec.name!r} reads {self.spec.max_tokens} together with the text; ask for "
                "fewer at a time",
                param="labels",
            )
        return tuple(words)

    def _check_lengths(self, labels: tuple[str, ...], tokenizer: Any, most: int) -> None:
        """Refuse labels of which the library would read the beginning alone."""
        longest = max(len(read.ids) for read in tokenizer.encode_batch(list(labels)))
        if longest > most:
            raise InvalidInput(
                f"labels: a label is {longest} tokens, and the encoder of labels of model "
                f"{self.spec.name!r} reads {most}; say it in fewer words",
                param="labels",
            )

    def _check_marks(self, name: str, labels: tuple[str, ...], ids: Ints) -> None:
        mark, key = self._marks[name]
        if labels and int((ids == mark).sum()) != len(labels):
            raise InvalidInput(
                f"{name}: a label holds {getattr(self.config, key)!r}, which the model uses to "
                "tell labels apart; write it without",
                param=name,
            )


def _label_reader(library: Any) -> tuple[Any, int] | None:
    """A tokenizer of labels and their most tokens, for models that read them by themselves."""
    if getattr(library.config, "labels_encoder", None) is None:
        return None
    theirs = library.data_processor.labels_tokenizer
    tokenizer = copy.deepcopy(theirs.backend_tokenizer)  # what it cuts is set while others run
    tokenizer.no_truncation()
    tokenizer.no_padding()
    table = positions(library.config.labels_encoder_config.to_dict())
    return tokenizer, min(theirs.model_max_length, table or UNLIMITED)


class NameReading:
    """How the texts of one call are read.

    Args:
        call: What is asked; it has been checked.
        words: The checkpoint's words.

    Raises:
        InvalidInput: The labels leave no room for a text.
    """

    def __init__(self, call: ExtractCall, words: Words) -> None:
        self._words, self._call = words, call
        labels = labels_of(words.spec, call)
        self._asked = Asked(labels, call.relations, threshold_of(words.spec, call))
        self._prompt = words.prompt(labels, call.relations)
        empty, _ = words.tokens(self._prompt)
        self._beside = len(empty)
        self._room = words.spec.max_tokens - self._beside
        self._most: int = words.config.max_len

    def guess(self, text: str) -> int:
        return 1 + self._beside + len(text) // CHARS_PER_TOKEN

    def most(self, text: str) -> int:
        return bound(text, self._room, self._most)

    def windows(self, entries: int) -> int:
        return entries

    def read(self, text: str) -> Entries[Window]:
        words, places = self._words.split(text)
        ids, owners = self._words.tokens([*self._prompt, *words])
        costs = np.bincount(owners[owners >= 0], minlength=len(self._prompt) + len(words))
        costs = costs[len(self._prompt) :]
        unseen = not costs.all()
        if unseen:  # such as marks that the tokenizer drops
            words = [word for word, cost in zip(words, costs, strict=True) if cost]
            places, costs = places[costs > 0], costs[costs > 0]
        windows = plan(costs.tolist(), self._room, self._most, self._overlap())
        if len(windows) == 1 and not unseen:
            return [self._window(ids, owners, places)]

        def cut(first: int, end: int) -> Prepared[Window]:
            found = self._words.tokens([*self._prompt, *words[first:end]])
            return self._window(*found, places[first:end])

        return Windows(windows, cut)

    def _overlap(self) -> int:
        return overlap_of(self._most, self._words.config.max_width)

    def _window(self, ids: Ints, owners: Ints, places: Ints) -> Prepared[Window]:
        most = self._words.spec.max_tokens
        cut = len(ids) > most  # one word alone that is too long
        ids, owners = ids[:most], owners[:most]
        first = np.ones(len(owners), np.bool_)
        first[1:] = owners[1:] != owners[:-1]
        numbers = np.where(first, owners - len(self._prompt) + 1, 0).clip(0)
        window = Window(self._asked, ids, numbers, places[:, 0], places[:, 1])
        return Prepared(window, cost=len(ids), tokens=len(ids), truncated=cut)

    def gather(self, text: str, rows: Sequence[Row]) -> Extraction:
        call = self._call
        names = selected(
            merged([row.names for row in rows]),
            nested=call.nested,
            several=call.multi_label is True,
        )
        entities = tuple(
            Entity(
                text=text[start:end],
                label=self._asked.labels[kind],
                score=score,
                start=start,
                end=end,
            )
            for start, end, kind, score in zip(
                names.starts.tolist(),
                names.ends.tolist(),
                names.kinds.tolist(),
                names.scores.tolist(),
                strict=True,
            )
        )
        kept = np.stack([names.starts, names.ends], axis=1)
        links = [row.links for row in rows if row.links is not None]
        return Extraction(
            entities=entities,
            relations=self._relations(text, related(links, kept)),
            data=_left(rows, links),
        )

    def _relations(self, text: str, found: Links) -> tuple[Relation, ...]:
        columns = (found.heads, found.tails, found.kinds, found.scores)
        return tuple(
            Relation(
                head=text[slice(*head)],
                tail=text[slice(*tail)],
                relation=self._asked.relations[kind],
                score=score,
                head_span=(head[0], head[1]),
                tail_span=(tail[0], tail[1]),
            )
            for head, tail, kind, score in zip(*(c.tolist() for c in columns), strict=True)
        )


def _left(rows: Sequence[Row], links: Sequence[Links]) -> dict[str, Any]:
    """What an answer says of places and pairs of names that were not looked at."""
    counts = {"names": sum(row.left for row in rows), "pairs": sum(found.left for found in links)}
    left = {name: count for name, count in counts.items() if count}
    return {LEFT_OUT: left} if left else {}
