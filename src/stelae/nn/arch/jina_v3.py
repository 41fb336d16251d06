"""Jina Embeddings 3, as transformers names it: XLM-RoBERTa with rotary positions.

The adapters for tasks are separate checkpoints and are not read.

Source: Sturua et al. 2024 (arXiv:2409.10173).
"""

from __future__ import annotations

from typing import ClassVar

from stelae.nn.backbone import architecture
from stelae.nn.fields import Epsilon, Positive
from stelae.nn.layers.linear import Activation
from stelae.nn.postnorm import FIRST_TOKEN, UNUSED, masked_lm_names
from stelae.nn.rotary_postnorm import NAMES, QKV, RotaryConfig, RotaryEncoder
from stelae.nn.weights import WeightMap


class JinaV3Config(RotaryConfig, kw_only=True):
    """Other defaults."""

    type_vocab_size: int = 1
    layer_norm_eps: Epsilon = 1e-5
    rope_theta: Positive = 20000.0


@architecture(
    "JinaEmbeddingsV3Model",
    "JinaEmbeddingsV3ForMaskedLM",
    "JinaEmbeddingsV3ForSequenceClassification",
)
class JinaV3(RotaryEncoder):
    """Bidirectional encoder without a table of positions and without a gate."""

    Config: ClassVar = JinaV3Config
    masked_lm_activation: ClassVar[Activation | None] = "gelu"
    weights = WeightMap(
        prefixes=("roberta.",),
        rename=NAMES,
        fuse=QKV,
        ignore=(*UNUSED, r"lm_head\..*"),
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^lm_head\.dense\.",
        norm=r"^lm_head\.layer_norm\.",
        decoder=r"^lm_head\.decoder\.",
        bias=r"^lm_head\.bias$",
    )
    classifier_weights = FIRST_TOKEN
