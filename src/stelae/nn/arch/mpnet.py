"""MPNet: RoBERTa's positions, and a learned number for each distance on the scores.

Source: Song et al. 2020 (arXiv:2004.09297).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from stelae.nn.backbone import architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import ByDistance
from stelae.nn.layers.buckets import RelativeBias
from stelae.nn.layers.linear import Activation
from stelae.nn.layers.positions import counted_positions
from stelae.nn.postnorm import (
    BLOCKS,
    EMBEDDINGS,
    FIRST_TOKEN,
    NORMS,
    UNUSED,
    PostNormConfig,
    PostNormEncoder,
    masked_lm_names,
)
from stelae.nn.weights import WeightMap

PADDING = 1
"""Id of the padding token, whatever ``config.json`` says."""

BUCKETS, FARTHEST = 32, 128


class MPNetConfig(PostNormConfig, kw_only=True):
    """There are no segments."""

    type_vocab_size: int = 0
    relative_attention_num_buckets: int = BUCKETS


@architecture("MPNetModel", "MPNetForMaskedLM", "MPNetForSequenceClassification")
class MPNet(PostNormEncoder):
    """All blocks share one table of distances."""

    Config: ClassVar = MPNetConfig
    masked_lm_activation: ClassVar[Activation | None] = "gelu"
    weights = WeightMap(
        prefixes=("mpnet.",),
        rename={
            **NORMS,
            **EMBEDDINGS,
            r"attention\.attn\.o\.": "out.",
            r"attention\.LayerNorm": "out_norm",
            r"^encoder\.relative_attention_bias": "distances",
            **BLOCKS,
        },
        fuse={"qkv": ("attention.attn.q", "attention.attn.k", "attention.attn.v")},
        ignore=(*UNUSED, r"lm_head\..*"),
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^lm_head\.dense\.",
        norm=r"^lm_head\.layer_norm\.",
        decoder=r"^lm_head\.decoder\.",
        bias=r"^lm_head\.bias$",
    )
    classifier_weights = FIRST_TOKEN

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__(config)
        buckets = config.relative_attention_num_buckets
        require(buckets == BUCKETS, "relative_attention_num_buckets", buckets, str(BUCKETS))
        self.distances = RelativeBias(BUCKETS, config.num_attention_heads, FARTHEST)

    def places(self, batch: TokenBatch) -> Tensor:
        """Positions from 2."""
        return counted_positions(batch, PADDING)

    def bias(self, batch: TokenBatch) -> ByDistance:
        """The number of each distance, one per head."""
        found: ByDistance = self.distances(batch)
        return found
