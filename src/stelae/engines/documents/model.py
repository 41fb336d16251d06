"""Pictures through the library's model, which writes token by token.

The same is written of a picture whatever stands beside it, and never by chance.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from stelae.catalog.files import Json
from stelae.engines.documents.features import Asked, Written
from stelae.engines.documents.writers import Writer
from stelae.engines.extract.pictures import Seen, in_groups
from stelae.engines.extract.processor import Processor

LONGEST = 15.0
"""Seconds after which a batch is written no further: one that takes 30 is taken to hang."""

LEAST = 1.0
"""Seconds that every part of a batch has."""

CHANCE = ("temperature", "top_k", "top_p", "typical_p", "min_p", "epsilon_cutoff", "eta_cutoff")
"""Options of writing by chance, which is not done."""

LENGTHS = ("max_length", "min_length", "min_new_tokens")
"""Options of length, of which the call's own count."""


class WritingModel:
    """Pictures to what is written of them.

    Args:
        library: The library's model.
        writer: Knows its prompts.
        processor: Makes the last steps from pixels to numbers.
        generation: Content of ``generation_config.json``.
        deterministic: Whether each picture runs alone.
    """

    def __init__(
        self,
        library: Any,
        writer: Writer,
        processor: Processor,
        generation: Json,
        *,
        deterministic: bool,
    ) -> None:
        self._model, self._writer, self._processor = library, writer, processor
        self._deterministic = deterministic
        given = generation or library.generation_config.to_dict()
        kept = {k: v for k, v in given.items() if k not in {*CHANCE, *LENGTHS}}
        library.generation_config = GenerationConfig.from_dict(kept | {"do_sample": False})
        self._forced = kept.get("forced_eos_token_id") is not None
        self._end = writer.tokenizer.eos_token_id
        self._until = 0.0

    @torch.inference_mode()
    def run(self, batch: Sequence[Seen[Asked]]) -> list[Written]:
        """What is written of each picture, in order."""
        self._until = time.monotonic() + LONGEST
        return in_groups(batch, self._together, alone=self._deterministic)

    def _together(self, batch: Sequence[Seen[Asked]]) -> list[Written]:
        asked = batch[0].asked
        pixels = torch.stack([self._processor.tensor(seen.pixels) for seen in batch])
        inputs = self._writer.inputs(asked, len(batch)) | {"pixel_values": pixels}
        there = {name: tensor.to(self._model.device) for name, tensor in inputs.items()}
        there["pixel_values"] = there["pixel_values"].to(self._model.dtype)
        options = self._writer.options() | ({} if asked.beams > 1 else {"early_stopping": False})
        made = self._model.generate(
            **there,
            **options,
            num_beams=asked.beams,
            max_new_tokens=asked.most,
            max_time=max(LEAST, self._until - time.monotonic()),
        )
        return [self._read(row, asked) for row in made.tolist()]

    def _read(self, ids: list[int], asked: Asked) -> Written:
        """An answer; one whose end was forced by its length had not come to it."""
        own = ids[self._writer.begins(asked) :]
        if self._forced:
            own = own[: asked.most - 1]
        text = self._writer.tokenizer.decode(ids, skip_special_tokens=False)
        return Written(text, cut=self._end not in own)

    def close(self) -> None:
        """Free the model."""
        del self._model
