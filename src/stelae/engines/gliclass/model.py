"""Windows through the library's model, those of about one length together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stelae.catalog.gliclass import APART
from stelae.engines.extract.batches import alike
from stelae.engines.extract.classes import Logits
from stelae.engines.extract.spans import Ints
from stelae.engines.gliclass.reading import Window

LARGEST = 2**18
"""Most tokens that run together."""


class ClassModel:
    """Windows to a logit for each label.

    Args:
        library: The library's model.
        device: Where it is.
        deterministic: Whether each window runs alone.
    """

    def __init__(self, library: Any, device: torch.device, *, deterministic: bool) -> None:
        self._library, self._device, self._deterministic = library, device, deterministic
        self._pad: int = library.config.pad_token_id or 0
        self._apart = library.config.architecture_type == APART
        self._padded = library.config.pooling_strategy == "first"  # others count the padding

    @torch.inference_mode()
    def run(self, batch: Sequence[Window]) -> list[Logits]:
        """A logit for each label of each window, in order."""
        rows: dict[int, Logits] = {}
        for indices in alike(
            batch,
            key=lambda w: (w.labels, w.beside, 0 if self._padded else len(w.ids)),
            length=lambda window: len(window.ids),
            most=lambda window: max(1, LARGEST // len(window.ids)),
            alone=self._deterministic,
        ):
            made = self._together([batch[i] for i in indices])
            rows |= dict(zip(indices, made, strict=True))
        return [rows[i] for i in range(len(batch))]

    def _together(self, batch: Sequence[Window]) -> list[Logits]:
        ids, mask = self._rows([window.ids for window in batch])
        count = batch[0].labels
        output = self._library(
            input_ids=ids,
            attention_mask=mask,
            return_dict=True,
            **self._beside(batch[0], len(batch)),
        )
        return list(output.logits[:, :count].float().cpu().numpy())

    def _beside(self, window: Window, count: int) -> dict[str, Any]:
        """What the model is told of labels besides the text, for so many texts."""
        if not window.beside:
            return {"max_num_classes": window.labels}
        ids, mask = self._rows(window.beside)
        if not self._apart:
            ids, mask = ids[0], mask[0]
        told = {
            "class_input_ids": ids.expand(count, *ids.shape),
            "class_attention_mask": mask.expand(count, *ids.shape),
        }
        if self._apart:
            told["labels_mask"] = torch.ones_like(ids[:, 0]).expand(count, -1)
        return told

    def _rows(self, rows: Sequence[Ints | tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Token ids of one length, and which of them are real, each of shape ``(B, T)``."""
        ids = np.full((len(rows), max(map(len, rows))), self._pad, np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)], mask[i, : len(row)] = row, 1
        return torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device)

    def close(self) -> None:
        """Free the model."""
        del self._library
