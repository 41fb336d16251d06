"""Texts side by side, as the library's modules read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stelae.engines.sentence_transformers.tokens import TYPES, LibraryTokenizer
from stelae.engines.sentence_transformers.words import WordTokenizer
from stelae.engines.text.features import Features


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Puts texts together and into tensors.

    Attributes:
        tokenizer: The model's tokenizer.
        device: Where the tensors go.
        padding: What short texts are filled up with beside longer ones; ``None`` where
            only texts of one length stand together. What nobody has looked at may read
            its padding (convolutions do, and so do classes that take no mask), and then
            a text's numbers would be those of its neighbours too.
        alone: Whether each text runs alone.
        most: Tokens that may run at once; ``None`` for any number.
    """

    tokenizer: LibraryTokenizer | WordTokenizer
    device: torch.device
    padding: int | None = None
    alone: bool = False
    most: int | None = None

    def parts(self, batch: Sequence[Features]) -> Iterator[list[int]]:
        """Indices of the texts that stand together: of one side, with prompts of one length."""
        found: dict[tuple[Any, ...], list[int]] = {}
        for i, text in enumerate(batch):
            length = len(text.ids) if self.padding is None else None
            found.setdefault((text.role, text.prompt, length), []).append(i)
        for part in found.values():
            longest = max(len(batch[i].ids) for i in part)
            step = len(part) if self.most is None else max(1, self.most // max(1, longest))
            step = 1 if self.alone else step
            yield from (part[start : start + step] for start in range(0, len(part), step))

    def tensors(self, texts: Sequence[Features]) -> dict[str, Any]:
        """What the library's first module reads."""
        shape = len(texts), max(len(text.ids) for text in texts)
        ids = np.full(shape, self.padding or 0, np.int64)
        seen, types = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, text in enumerate(texts):
            count = len(text.ids)
            ids[row, :count] = text.ids
            seen[row, : count if text.seen is None else text.seen] = 1
            if self.tokenizer.told:
                types[row, :count] = self.tokenizer.types(count, text.second)[:count]
        found: dict[str, Any] = {
            "input_ids": self._tensor(ids),
            "attention_mask": self._tensor(seen),
            "modality": "text",
        }
        if self.tokenizer.told:
            found[TYPES] = self._tensor(types)
        if prompt := texts[0].prompt:
            found["prompt_length"] = prompt
        return found

    def _tensor(self, numbers: np.ndarray[Any, Any]) -> torch.Tensor:
        return torch.from_numpy(numbers).to(self.device)
