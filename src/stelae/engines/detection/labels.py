"""What is looked for, in the words that a model reads.

Source: transformers 5.17, ``processing_owlv2.py`` and ``processing_grounding_dino.py``.
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import accumulate
from typing import Any, Protocol

from stelae.catalog.files import Json
from stelae.catalog.spec import ModelSpec
from stelae.engines.detection.features import NOTHING_ASKED, Asked
from stelae.engines.extract.options import check_count
from stelae.engines.extract.upstream import part_of, tokenizer_of
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint

SEPARATORS = ".?"
"""Characters that end a label for Grounding DINO."""

FIXED = {"[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
"""Tokens whose numbers the library's Grounding DINO takes for granted."""

SHOWN = 20
"""Labels that are listed in a message."""


class Labels(Protocol):
    """Reads the labels of a call."""

    def ask(self, labels: tuple[str, ...]) -> Asked:
        """What the model is told.

        Raises:
            InvalidInput: It cannot read a label.
        """
        ...


class Trained:
    """Labels of models that know what they were trained to find.

    Args:
        spec: The model.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._name = spec.name
        self._known = spec.extraction.labels if spec.extraction is not None else ()

    def ask(self, labels: tuple[str, ...]) -> Asked:
        """Nothing; what is not wanted is left out afterwards.

        Raises:
            InvalidInput: It was not trained to find one of them.
        """
        unknown = next((label for label in labels if label not in self._known), None)
        if unknown is None:
            return NOTHING_ASKED
        near = get_close_matches(unknown[:100], self._known, n=1)
        listed = ", ".join(self._known[:SHOWN])
        rest = f" and {len(self._known) - SHOWN} more" if len(self._known) > SHOWN else ""
        raise InvalidInput(
            f"labels: model {self._name!r} was not trained to find {unknown[:100]!r}; it finds "
            f"{listed}{rest}",
            param="labels",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )


class Queries:
    """Labels of models that read each as a text of its own (OWL-ViT, OWLv2).

    Args:
        spec: The model.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._tokenizer = tokenizer_of(spec)
        text: Json = part_of(spec).config.get("text_config") or {}
        self._length = int(text.get("max_position_embeddings") or 16)

    def ask(self, labels: tuple[str, ...]) -> Asked:
        """A row of ids for each, filled up to the length that the model reads.

        Raises:
            InvalidInput: One is too long, or they are too many.
        """
        check_count(labels)
        rows = self._tokenizer(list(labels), padding="max_length", max_length=self._length)
        ids = [tuple(row) for row in rows["input_ids"]]
        for label, row in zip(labels, ids, strict=True):
            if len(row) > self._length:
                raise InvalidInput(
                    f"labels: {label[:100]!r} has {len(row)} tokens, the model reads at most "
                    f"{self._length}; say it in fewer words",
                    param="labels",
                )
        return Asked(labels, tuple(ids))


class Phrases:
    """Labels of models that read them all as one text, with dots between (Grounding DINO).

    Args:
        spec: The model.

    Raises:
        UnsupportedCheckpoint: The tokenizer numbers its tokens in another way than BERT's.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._tokenizer = tokenizer_of(spec)
        self._longest = int(part_of(spec).config.get("max_text_len") or 256)
        numbers = {token: self._tokenizer.convert_tokens_to_ids(token) for token in FIXED}
        if numbers != FIXED:
            raise UnsupportedCheckpoint(
                f"the tokenizer of model {spec.name!r} has the tokens {numbers}; the library takes "
                f"{FIXED} for granted"
            )

    def ask(self, labels: tuple[str, ...]) -> Asked:
        """One row of ids, and where each label stands in it.

        Raises:
            InvalidInput: A label has a character that ends labels, or nothing that can be
                read, or all together are too long.
        """
        words = [label.strip().lower() for label in labels]
        for label, word in zip(labels, words, strict=True):
            if any(mark in word for mark in SEPARATORS):
                raise InvalidInput(
                    f"labels: {label[:100]!r} has a dot or a question mark, which ends a label for "
                    "this model; leave it out",
                    param="labels",
                )
        read = self._tokenizer(". ".join(words) + ".", return_offsets_mapping=True)
        ids = tuple(read["input_ids"])
        if len(ids) > self._longest:
            raise InvalidInput(
                f"labels: together they have {len(ids)} tokens, the model reads at most "
                f"{self._longest}; ask for fewer at once",
                param="labels",
            )
        starts = accumulate((len(word) + 2 for word in words), initial=0)
        spans = [
            _tokens(read["offset_mapping"], start, start + len(word))
            for start, word in zip(starts, words, strict=False)
        ]
        for label, (first, last) in zip(labels, spans, strict=True):
            if first == last:
                raise InvalidInput(
                    f"labels: {label[:100]!r} has no tokens for this model; give a word",
                    param="labels",
                )
        return Asked(labels, (ids,), tuple(spans))


def _tokens(offsets: list[tuple[int, int]], start: int, stop: int) -> tuple[int, int]:
    """First token of a part of a text, and the one after its last."""
    inside = [i for i, (a, b) in enumerate(offsets) if start <= a < b <= stop]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


READERS: dict[str, Any] = {
    "detr": Trained,
    "rt-detr": Trained,
    "owl-vit": Queries,
    "owl-v2": Queries,
    "grounding-dino": Phrases,
}
"""By the layout of the checkpoint."""


def labels_reader(spec: ModelSpec) -> Labels:
    """What reads the labels of calls to a model.

    Raises:
        ModelLoadFailed: The tokenizer cannot be read.
        UnsupportedCheckpoint: The tokenizer is not what the model needs.
    """
    if spec.extraction is None:
        raise ModelLoadFailed(f"model {spec.name!r} finds nothing")
    reader: Labels = READERS[spec.extraction.layout](spec)
    return reader
