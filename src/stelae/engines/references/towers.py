"""A tower for texts or pictures alone, as transformers' own class for it makes vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image

from stelae.catalog.backbone import positions
from stelae.catalog.files import read_object
from stelae.catalog.spec import ModelSpec
from stelae.engines.references.made import Plain, trunk_of
from stelae.types import OutputType

KINDS = frozenset({"CLIPTextModelWithProjection", "CLIPVisionModelWithProjection"})


class Tower(Plain):
    """One tower of the library.

    Args:
        spec: The model.
        longest: Tokens it may read, if a person asked for fewer.
    """

    name = "transformers"

    def __init__(self, spec: ModelSpec, longest: int | None) -> None:
        trunk = trunk_of(spec)
        folder = Path(spec.folder, trunk.folder)
        kind = getattr(transformers, trunk.architecture)
        self._model = kind.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
        if spec.vision is None:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
            limits = (longest, positions(trunk.config), self._tokenizer.model_max_length)
            self._longest = min(limit for limit in limits if limit is not None)
        else:
            self._processor = _processor(folder)

    def read(self, text: str) -> tuple[Any, int]:
        """The vector of a text."""
        given = self._tokenizer(
            text, truncation=True, max_length=self._longest, return_tensors="pt"
        )
        return self._model(**given).text_embeds[0], given["input_ids"].numel()

    def look(self, image: Image.Image) -> tuple[Any, int]:
        """The vector of a picture."""
        made = self._model(**self._processor(image, return_tensors="pt"))
        return made.image_embeds[0], int(made.last_hidden_state.shape[1])


def _processor(folder: Path) -> Any:
    """The library's steps for pictures in the form that needs no torchvision."""
    stated = read_object(folder, "preprocessor_config.json") or {}
    kind = str(stated.get("image_processor_type", "CLIPImageProcessor")).removesuffix("Fast")
    return getattr(transformers, f"{kind}Pil").from_pretrained(folder)


def fits(spec: ModelSpec, output: OutputType | None) -> bool:
    """Whether a model is such a tower."""
    return output is OutputType.DENSE and spec.backbone.architecture in KINDS
