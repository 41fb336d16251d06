"""Windows through the library's model, those that ask the same together.

Source: gliner 0.2.24, ``modeling/base.py`` and ``data_processing/collator.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stelae.engines.extract.batches import alike
from stelae.engines.extract.spans import Candidates, Ints, best
from stelae.engines.gliner.decoding import read_places, read_tags
from stelae.engines.gliner.features import Links, Row, Window
from stelae.engines.gliner.places import place_scorer

LARGEST = 2**24
"""Most scores (words, widths and labels) that are held at once."""

LABELS_AT_ONCE = 64
"""Labels that are read together, for models that read them apart from the text."""

MOST_NAMES = 100
"""Most names of a window between which relations are looked for: the best count."""

PAIRS_AT_ONCE = 2**17
"""Most pairs of names that are looked at together, each a row of some thousands of numbers."""

NEVER = 2.0
"""A threshold that no score reaches."""


class NameModel:
    """Windows to what is seen in them.

    Args:
        library: The library's model.
        device: Where it is.
        deterministic: Whether each window runs alone.
    """

    def __init__(self, library: Any, device: torch.device, *, deterministic: bool) -> None:
        self._library, self._model = library, library.model
        self._device, self._deterministic = device, deterministic
        self._spans = library.config.span_mode != "token_level"
        self._width: int = library.config.max_width if self._spans else 1
        self._pad = library.data_processor.transformer_tokenizer.pad_token_id or 0
        self._labels = lru_cache(maxsize=32)(self._read_labels)
        self._scorer = place_scorer(self._model)
        self._chosen: Chosen | None = None
        if getattr(library.config, "relations_layer", None) is not None:
            self._chosen = Chosen(self._model)
            self._model.select_span_target_embedding = self._chosen

    @torch.inference_mode()
    def run(self, batch: Sequence[Window]) -> list[Row]:
        """What is seen in each window, in order."""
        rows: dict[int, Row] = {}
        for indices in alike(
            batch,
            key=lambda window: window.asked,
            length=lambda window: len(window.ids),
            most=self._most,
            alone=self._deterministic,
        ):
            made = self._together([batch[i] for i in indices])
            rows |= dict(zip(indices, made, strict=True))
        return [rows[i] for i in range(len(batch))]

    def _most(self, window: Window) -> int:
        if window.asked.relations:
            return PAIRS_AT_ONCE // MOST_NAMES**2
        each = max(1, len(window.starts)) * self._width * max(1, len(window.asked.labels))
        return max(1, LARGEST // each)

    def _together(self, batch: Sequence[Window]) -> list[Row]:
        asked = batch[0].asked
        scorer = None if asked.relations else self._scorer
        inputs = self._inputs(batch, placed=self._spans and scorer is None)
        if hasattr(self._model.token_rep_layer, "labels_encoder"):
            inputs["labels_embeds"] = self._labels(asked.labels)
        if self._chosen is not None:
            least = asked.threshold if asked.relations else NEVER
            inputs |= {"threshold": least, "adjacency_threshold": least}
        output: Any = None if scorer is not None else self._model(**inputs)
        logits = output.logits if scorer is None else scorer(**inputs)
        scores = torch.sigmoid(logits.float()).cpu().numpy()
        read = read_places if self._spans else read_tags
        return [
            _row(
                _placed(window, *read(scores[i], len(window.starts), asked)),
                self._links(i, window, output) if asked.relations else None,
            )
            for i, window in enumerate(batch)
        ]

    def _inputs(self, batch: Sequence[Window], *, placed: bool) -> dict[str, Any]:
        longest = max(len(window.ids) for window in batch)
        words = max(len(window.starts) for window in batch)
        ids = np.full((len(batch), longest), self._pad, np.int64)
        mask, numbers = np.zeros_like(ids), np.zeros_like(ids)
        for i, window in enumerate(batch):
            count = len(window.ids)
            ids[i, :count], mask[i, :count], numbers[i, :count] = window.ids, 1, window.words
        counts = np.array([[len(window.starts)] for window in batch], np.int64)
        named: dict[str, NDArray[Any]] = {
            "input_ids": ids,
            "attention_mask": mask,
            "words_mask": numbers,
            "text_lengths": counts,
        }
        if placed:
            places = _places(words, self._width)
            inside = places[None, :, 1] < counts
            named["span_mask"] = inside
            named["span_idx"] = places[None] * inside[:, :, None]
        return {name: torch.from_numpy(a).to(self._device) for name, a in named.items()}

    def _read_labels(self, labels: tuple[str, ...]) -> Tensor:
        """Vectors of labels, for models that read them apart from the text."""
        read = self._library.data_processor.labels_tokenizer
        found = []
        for start in range(0, len(labels), LABELS_AT_ONCE):
            some = list(labels[start : start + LABELS_AT_ONCE])
            tokens = read(some, return_tensors="pt", truncation=True, padding="longest")
            there = (tokens[n].to(self._device) for n in ("input_ids", "attention_mask"))
            found.append(self._model.token_rep_layer.encode_labels(*there))
        return torch.cat(found)

    def _links(self, index: int, window: Window, output: Any) -> Links | None:
        """Relations above the threshold between the names of one window."""
        if self._chosen is None:
            return None
        names = self._chosen.places(index, self._width)
        pairs = output.rel_idx[index].cpu().numpy()
        scores = torch.sigmoid(output.rel_logits[index].float()).cpu().numpy()
        real = (pairs >= 0).all(axis=1) & (pairs < len(names)).all(axis=1)
        real &= output.rel_mask[index].bool().cpu().numpy()
        rows, kinds = np.nonzero((scores > window.asked.threshold) & real[:, None])
        heads, tails = (names[pairs[rows, side]] for side in (0, 1))
        return Links(
            np.stack([window.starts[heads[:, 0]], window.ends[heads[:, 1]]], axis=1),
            np.stack([window.starts[tails[:, 0]], window.ends[tails[:, 1]]], axis=1),
            kinds,
            scores[rows, kinds].astype(np.float64),
            self._chosen.left(index),
        )

    def close(self) -> None:
        """Free the model."""
        self._labels.cache_clear()
        del self._library, self._model, self._scorer


class Chosen:
    """Chooses the names between which relations are looked for, and remembers them.

    It takes the place of the library's own choice, which the library does not tell, and
    which has no bound.

    Args:
        model: The library's model.
    """

    def __init__(self, model: Any) -> None:
        self._pack = model.select_target_embedding
        self._kept = self._sure = torch.empty(0)

    def __call__(
        self, vectors: Tensor, scores: Tensor, inside: Tensor, labels: None, threshold: float
    ) -> tuple[Tensor, Tensor]:
        """The vectors of the places chosen, and which of them are real.

        Args:
            vectors: Of all places, shape ``(B, W, K, H)``.
            scores: Their logits, shape ``(B, W, K, C)``.
            inside: Which places lie in the text, shape ``(B, W * K)``.
            labels: Nothing; the library gives the truth here while it learns.
            threshold: Least score.
        """
        del labels
        count, width = vectors.shape[0], vectors.shape[-1]
        sure = torch.sigmoid(scores.float()).amax(dim=-1).view(count, -1)
        kept = (sure > threshold) & inside.view(count, -1).bool()
        self._sure = kept.sum(dim=1).cpu()
        if kept.shape[1] > MOST_NAMES:
            ranked = sure.masked_fill(~kept, -1.0).topk(MOST_NAMES, dim=1).indices
            kept &= torch.zeros_like(kept).scatter_(1, ranked, True)
        self._kept = kept.cpu()
        mask = kept.long()
        if not kept.any():
            mask[:, 0] = 1  # the library cannot do with none; alone it makes no pair
        packed: tuple[Tensor, Tensor] = self._pack(
            representations=vectors.reshape(count, -1, width), rep_mask=mask
        )
        return packed

    def places(self, index: int, width: int) -> Ints:
        """First and last word of each place chosen in one window, shape ``(N, 2)``."""
        flat = self._kept[index].nonzero().flatten().numpy()
        return np.stack([flat // width, flat // width + flat % width], axis=1)

    def left(self, index: int) -> int:
        """Pairs of one window's names that were not looked at."""
        counts = (int(self._sure[index]), int(self._kept[index].sum()))
        sure, kept = (count * (count - 1) for count in counts)
        return sure - kept


def _row(found: Candidates, links: Links | None) -> Row:
    kept = best(found)
    return Row(kept, links, len(found) - len(kept))


def _places(words: int, width: int) -> Ints:
    """First and last word of every place, shape ``(words * width, 2)``."""
    starts = np.repeat(np.arange(words), width)
    return np.stack([starts, starts + np.tile(np.arange(width), words)], axis=1)


def _placed(
    window: Window, firsts: Ints, lasts: Ints, kinds: Ints, scores: NDArray[Any]
) -> Candidates:
    """Places by words to places in the text."""
    return Candidates(window.starts[firsts], window.ends[lasts], kinds, scores.astype(np.float64))
