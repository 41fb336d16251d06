"""Models of pages, as transformers' own classes and processors make their vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from torch import Tensor

from stelae.catalog.spec import ModelSpec
from stelae.engines.references.made import Plain, trunk_of
from stelae.types import OutputType

KINDS = frozenset({"ColPaliForRetrieval", "ColQwen2ForRetrieval"})

FILLERS = 10
"""Tokens behind every question, which the model was trained to think in.

Source: transformers 5.17, ``process_queries`` of both processors.
"""


class Pages(Plain):
    """Questions and pages to a vector per token.

    Args:
        spec: The model.
        longest: Tokens of a question, if a person asked for fewer.
    """

    name = "transformers"

    def __init__(self, spec: ModelSpec, longest: int | None) -> None:
        trunk = trunk_of(spec)
        folder = Path(spec.folder, trunk.folder)
        kind = getattr(transformers, trunk.architecture)
        self._model = kind.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
        reader: Any = transformers.AutoProcessor
        self._processor = reader.from_pretrained(folder)
        tokenizer = self._processor.tokenizer
        stated = tokenizer.model_max_length
        self._longest = min(longest or stated, stated)
        ending = self._processor.query_augmentation_token * FILLERS + "\n"
        self._ending = len(tokenizer(ending, add_special_tokens=False)["input_ids"])

    def read(self, text: str) -> tuple[Any, int]:
        """The vectors of a question."""
        ids = self._cut(self._processor.process_queries([text])["input_ids"][0])
        given = {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None]}
        return self._model(**given).embeddings[0], len(ids)

    def _cut(self, ids: Tensor) -> Tensor:
        """What fits of a question. The library cuts nothing; what the model thinks in stays."""
        if len(ids) <= self._longest:
            return ids
        return torch.cat((ids[: self._longest - self._ending], ids[-self._ending :]))

    def look(self, image: Image.Image) -> tuple[Any, int]:
        """The vectors of a page."""
        given = self._processor.process_images([image])
        given.pop("labels", None)
        return self._model(**given).embeddings[0], given["input_ids"].numel()


def fits(spec: ModelSpec, output: OutputType | None) -> bool:
    """Whether a model is one of pages."""
    return output is OutputType.MULTIVECTOR and spec.backbone.architecture in KINDS
