"""model2vec by its formula: the mean of the rows of a text's tokens, each by its factor.

Source: Tulkens and van Dongen 2024, Model2Vec (https://github.com/MinishLab/model2vec),
release 0.6, ``model.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from stelae.catalog.files import read_object
from stelae.catalog.spec import ModelSpec, Static
from stelae.engines.references.made import Plain
from stelae.types import OutputType

LONGEST = 512
"""Tokens that are read of a text."""


class Table(Plain):
    """A table of vectors.

    Args:
        spec: The model.
        longest: Tokens it may read, if a person asked for fewer.
    """

    def __init__(self, spec: ModelSpec, longest: int | None) -> None:
        folder = Path(spec.folder, spec.backbone.folder)
        tensors = load_file(folder / "model.safetensors")
        self._rows = tensors["embeddings"].astype(np.float64)
        self._factors = tensors.get("weights")
        self._places = tensors.get("mapping")
        self._longest = min(longest or LONGEST, LONGEST)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        unknown = _unknown(folder)
        self._unknown = None if unknown is None else self._tokenizer.token_to_id(unknown)
        words = self._tokenizer.get_vocab()
        self._letters = self._longest * int(np.median([len(word) for word in words]))
        self._unit = bool((read_object(folder, "config.json") or {}).get("normalize"))

    def read(self, text: str) -> tuple[Any, int]:
        """The vector of a text, and the tokens that have one."""
        found = self._tokenizer.encode(text[: self._letters], add_special_tokens=False).ids
        ids = np.array([i for i in found if i != self._unknown][: self._longest], np.int64)
        if not len(ids):
            return np.zeros(self._rows.shape[1]), 0
        places = ids if self._places is None else self._places[ids]
        factors = 1.0 if self._factors is None else self._factors[ids][:, None]
        mean = (self._rows[places] * factors).mean(axis=0)
        return mean / np.linalg.norm(mean) if self._unit and mean.any() else mean, len(ids)


def _unknown(folder: Path) -> str | None:
    content = msgspec.json.decode((folder / "tokenizer.json").read_bytes())
    found: str | None = content["model"].get("unk_token")
    return found


def fits(spec: ModelSpec, output: OutputType | None) -> bool:
    """Whether a model is written by model2vec alone."""
    table = spec.backbone
    return (
        output is OutputType.DENSE
        and isinstance(table, Static)
        and bool(table.scales or table.unused or table.rows)
    )
