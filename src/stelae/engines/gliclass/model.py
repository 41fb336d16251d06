"""Windows through the library's model, those of about one length together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from stelae.engines.extract.batches import alike
from stelae.engines.extract.classes import Logits
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
        self._padded = library.config.pooling_strategy == "first"  # others count the padding

    @torch.inference_mode()
    def run(self, batch: Sequence[Window]) -> list[Logits]:
        """A logit for each label of each window, in order."""
        rows: dict[int, Logits] = {}
        for indices in alike(
            batch,
            key=lambda window: (window.labels, 0 if self._padded else len(window.ids)),
            length=lambda window: len(window.ids),
            most=lambda window: max(1, LARGEST // len(window.ids)),
            alone=self._deterministic,
        ):
            made = self._together([batch[i] for i in indices])
            rows |= dict(zip(indices, made, strict=True))
        return [rows[i] for i in range(len(batch))]

    def _together(self, batch: Sequence[Window]) -> list[Logits]:
        longest = max(len(window.ids) for window in batch)
        ids = np.full((len(batch), longest), self._pad, np.int64)
        mask = np.zeros_like(ids)
        for i, window in enumerate(batch):
            ids[i, : len(window.ids)], mask[i, : len(window.ids)] = window.ids, 1
        count = batch[0].labels
        output = self._library(
            input_ids=torch.from_numpy(ids).to(self._device),
            attention_mask=torch.from_numpy(mask).to(self._device),
            max_num_classes=count,
            return_dict=True,
        )
        return list(output.logits[:, :count].float().cpu().numpy())

    def close(self) -> None:
        """Free the model."""
        del self._library
