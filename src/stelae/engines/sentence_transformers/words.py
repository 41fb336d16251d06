"""Models of words instead of a transformer: tables of vectors, and bags of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers.sentence_transformer.modules import BoW, WordEmbeddings
from torch import nn

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.types import Truncate


class WordTokenizer:
    """Texts to the ids of the words that the model knows, without special tokens.

    Args:
        tokenizer: The library's tokenizer.
    """

    told = False
    typed = False

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.vocabulary: int = len(tokenizer.get_vocab())
        self.prefix: list[int] = []
        self.middle: list[int] = []
        self.surplus: dict[int, str] = {}
        self.suffix: list[int] = []

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> list[list[int]]:
        """Ids of each text, whole."""
        del room, truncate
        return [self._tokenizer.tokenize(text) for text in texts]

    def types(self, length: int, second: int | None) -> list[int]:
        """One token type."""
        del second
        return [0] * length


class Bag(nn.Module):
    """The library's bag of words, which does its work where it tokenises, as a module.

    Args:
        words: The library's module.
    """

    def __init__(self, words: BoW) -> None:
        super().__init__()
        self._words = words

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        ids = features["input_ids"]
        made = self._words.get_sentence_features([row.tolist() for row in ids])
        return features | {name: value.to(ids.device) for name, value in made.items()}


def load_words(spec: ModelSpec, trunk: Backbone) -> tuple[nn.Module, WordTokenizer]:
    """Load a model of words and its tokenizer."""
    kind: Any = WORDS[trunk.architecture]
    loaded = kind.load(spec.folder, subfolder=trunk.folder, local_files_only=True)
    module: nn.Module = Bag(loaded) if isinstance(loaded, BoW) else loaded
    return module.to(torch.float32), WordTokenizer(loaded.tokenizer)


WORDS = {"WordEmbeddings": WordEmbeddings, "BoW": BoW}
