"""The heads beside BGE-M3 by their formulas, over the hidden states of transformers.

The weight of a token is ``relu(w h + b)``, of equal tokens the largest counts, and special
tokens have none. Token vectors are ``W h + b`` of all tokens but the first, of unit length.

Source: Chen et al. 2024 (arXiv:2402.03216), section 3.1; FlagEmbedding 1.3, ``inference/
embedder/encoder_only/m3.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor
from torch.nn import functional

from stelae.catalog.backbone import positions
from stelae.catalog.files import exists, read_object
from stelae.catalog.spec import ModelSpec
from stelae.engines.references.made import Plain, trunk_of
from stelae.nn.torch_file import read_torch
from stelae.types import OutputType

FILES = {OutputType.SPARSE: "sparse_linear.pt", OutputType.MULTIVECTOR: "colbert_linear.pt"}

READING = "sentence_bert_config.json"

UNWEIGHED = ("cls_token_id", "eos_token_id", "pad_token_id", "unk_token_id")


class Head(Plain):
    """One of the two heads.

    Args:
        spec: The model.
        output: What the head makes.
        longest: Tokens it may read, if a person asked for fewer.
    """

    def __init__(self, spec: ModelSpec, output: OutputType, longest: int | None) -> None:
        root, trunk = Path(spec.folder), trunk_of(spec)
        folder = root / trunk.folder
        options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
        self._model = transformers.AutoModel.from_pretrained(folder, **options).eval()
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
        self._linear = read_torch(root / FILES[output])
        self._sparse = output is OutputType.SPARSE
        stated = (read_object(root, READING) or {}).get("max_seq_length")
        limits = (longest, stated, positions(trunk.config))
        self._longest = min(limit for limit in limits if limit is not None)

    def read(self, text: str) -> tuple[Any, int]:
        """What the head makes of a text."""
        given = self._tokenizer(
            text, truncation=True, max_length=self._longest, return_tensors="pt"
        )
        ids = given["input_ids"][0]
        states = self._model(**given).last_hidden_state[0]
        weight, bias = (self._linear[part].float() for part in ("weight", "bias"))
        made = states @ weight.T + bias
        if self._sparse:
            return self._terms(ids, made[:, 0].relu()), len(ids)
        return functional.normalize(made[1:], dim=-1), len(ids)

    def _terms(self, ids: Tensor, weights: Tensor) -> tuple[Any, Any]:
        unweighed = {getattr(self._tokenizer, name) for name in UNWEIGHED}
        found: dict[int, float] = {}
        for token, weight in zip(ids.tolist(), weights.tolist(), strict=True):
            if token not in unweighed and weight > 0:
                found[token] = max(weight, found.get(token, 0.0))
        terms = sorted(found)
        return np.array(terms, np.int64), np.array([found[term] for term in terms])


def fits(spec: ModelSpec, output: OutputType | None) -> bool:
    """Whether a head of that file makes the output."""
    return output in FILES and exists(Path(spec.folder), FILES[output])
