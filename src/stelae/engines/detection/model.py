"""Pictures through the library's model, those of one size together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stelae.engines.detection.boxes import read_boxes
from stelae.engines.detection.features import Asked, Boxes
from stelae.engines.extract.pictures import Seen, in_groups
from stelae.engines.extract.processor import Processor


class ObjectModel:
    """Pictures to what is seen in them.

    Args:
        library: The library's model.
        layout: Of the checkpoint.
        processor: Makes the last steps from pixels to numbers.
        deterministic: Whether each picture runs alone.
    """

    def __init__(
        self, library: Any, layout: str, processor: Processor, *, deterministic: bool
    ) -> None:
        self._model, self._layout, self._processor = library, layout, processor
        self._deterministic = deterministic

    @torch.inference_mode()
    def run(self, batch: Sequence[Seen[Asked]]) -> list[Boxes]:
        """What is seen in each picture, in order."""
        return in_groups(batch, self._together, alone=self._deterministic)

    def _together(self, batch: Sequence[Seen[Asked]]) -> list[Boxes]:
        asked = batch[0].asked
        pixels = torch.stack([self._processor.tensor(seen.pixels) for seen in batch])
        inputs = {"pixel_values": pixels} | self._words(asked, len(batch))
        there = {name: tensor.to(self._model.device) for name, tensor in inputs.items()}
        there["pixel_values"] = there["pixel_values"].to(self._model.dtype)
        return read_boxes(self._layout, self._model(**there), asked)

    def _words(self, asked: Asked, count: int) -> dict[str, Tensor]:
        """What the model is told, once for each picture."""
        if not asked.ids:
            return {}
        ids = torch.tensor(asked.ids).repeat(count, 1)
        if asked.spans:
            return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return {"input_ids": ids}

    def close(self) -> None:
        """Free the model."""
        del self._model
