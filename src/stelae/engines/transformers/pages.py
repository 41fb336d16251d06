"""From texts and pages to what ColPali and ColQwen2 read, by the library's own processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor

from stelae.catalog.pages import PROCESSORS
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.text.features import Features
from stelae.engines.text.pictures import opened
from stelae.errors import InvalidInput, ModelLoadFailed
from stelae.images.colours import rgb
from stelae.images.limits import LIMITS, Limits
from stelae.types import Item, OutputType, Role, Truncate

MULTIVECTOR = (OutputType.MULTIVECTOR,)

LIBRARY_ERRORS = (
    AttributeError, KeyError, OSError, RuntimeError, StrictDataclassError, TypeError, ValueError,
)  # fmt: skip
"""What the library raises for files that it cannot read."""

REPEATS = 10
"""Fillers behind every text, which the model was trained to think in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFeatures(Features):
    """One page, ready to run.

    Attributes:
        extra: The page's pixels, under the names of the model's arguments.
    """

    extra: dict[str, Tensor] = field(default_factory=dict)


class QuestionTokenizer:
    """Texts to ids as the library's processor writes them.

    Args:
        processor: The library's.

    Attributes:
        vocabulary: Number of ids.
        prefix: Tokens before a text and its prompt.
        suffix: Fillers and an end of line.
        middle: Tokens between two texts; pairs are not read here.
        typed: Whether the second text of a pair has token type ids of its own.
    """

    typed = False

    def __init__(self, processor: Any) -> None:
        self._tokenizer = processor.tokenizer
        self.vocabulary: int = processor.vocabulary
        opening = self._tokenizer.bos_token if processor.opens else ""
        self.prefix = self._ids(opening or "")
        self.suffix = self._ids(f"{processor.query_augmentation_token * REPEATS}\n")
        self.middle: list[int] = []
        self.surplus: dict[int, str] = {}

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> list[list[int]]:
        """Ids of each text, whole."""
        del room, truncate
        return [self._ids(text) for text in texts]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


class PageIntake:
    """Reads pages for one model.

    Args:
        processor: The library's.
        limits: How large a picture may be.

    Attributes:
        tokens: Tokens of a page, for guesses.
        together: Whether several threads may read at a time.
    """

    together = False  # the library's processors say nothing of threads

    def __init__(self, processor: Any, limits: Limits = LIMITS) -> None:
        self._processor, self._limits = processor, limits
        self.tokens: int = getattr(processor, "image_seq_length", 768)

    def read(
        self, item: Item, outputs: tuple[OutputType, ...] = MULTIVECTOR, role: Role | None = None
    ) -> PageFeatures | InvalidInput:
        """The page of an item, or why it cannot be read."""
        try:
            image = rgb(opened(item, self._limits))
        except InvalidInput as error:
            return error
        read = self._processor.process_images([image])
        ids = read["input_ids"][0].numpy().astype(np.int32)
        extra = {name: read[name] for name in ("pixel_values", "image_grid_thw") if name in read}
        return PageFeatures(ids, outputs=outputs, role=role, extra=extra)


def processor_of(spec: ModelSpec) -> Any:
    """The library's processor, without torchvision.

    Raises:
        ModelLoadFailed: The library cannot read its files.
    """
    part = spec.backbone
    if not isinstance(part, Backbone):
        raise ModelLoadFailed(f"model {spec.name!r} is a table, no model of pages")
    name = part.architecture.removesuffix("ForRetrieval")
    folder = Path(spec.folder, part.folder)
    try:
        options = part.config["image_processor"]
        reader = getattr(transformers, f"{PROCESSORS[part.architecture]}Pil").from_dict(options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        vocabulary = len(tokenizer)  # the processor adds tokens that a model may not have
        processor = getattr(transformers, f"{name}Processor")(reader, tokenizer)
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: transformers cannot read the processor in {folder}: {error}"
        ) from error
    processor.query_prefix = spec.prompts["query"]
    processor.opens, processor.vocabulary = name == "ColPali", vocabulary
    return processor
