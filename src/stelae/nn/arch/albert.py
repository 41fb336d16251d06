"""ALBERT: narrow embeddings, and layers that share their weights.

Source: Lan et al. 2020 (arXiv:1909.11942).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor, nn

from stelae.nn.backbone import architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Layers, Width
from stelae.nn.layers.linear import Linear
from stelae.nn.postnorm import (
    EMBEDDINGS,
    NORMS,
    UNUSED,
    PostNormConfig,
    PostNormEncoder,
    classifier_names,
    masked_lm_names,
)
from stelae.nn.weights import WeightMap


class AlbertConfig(PostNormConfig, kw_only=True):
    """Layers come in groups; the layers of a group share their weights."""

    hidden_act: str = "gelu_new"
    embedding_size: Width = 128
    num_hidden_groups: Layers = 1
    inner_group_num: Layers = 1

    @property
    def embedding(self) -> int:
        """Width of the embeddings."""
        return self.embedding_size


@architecture(
    "AlbertModel", "AlbertForMaskedLM", "AlbertForPreTraining", "AlbertForSequenceClassification"
)
class Albert(PostNormEncoder):
    """A group has one block or several, and runs as often as there are layers for it."""

    Config: ClassVar = AlbertConfig
    config: AlbertConfig
    weights = WeightMap(
        prefixes=("albert.",),
        rename={
            **NORMS,
            **EMBEDDINGS,
            r"^encoder\.embedding_hidden_mapping_in": "widen",
            r"^encoder\.albert_layer_groups\.(\d+)\.albert_layers\.": r"layers.\1.",
            r"attention\.dense": "out",
            r"attention\.LayerNorm": "out_norm",
            r"ffn\.": "up.",
            r"ffn_output": "down",
            r"full_layer_layer_norm": "down_norm",
        },
        fuse={"qkv": ("attention.query", "attention.key", "attention.value")},
        ignore=(*UNUSED, r"predictions\..*", r"sop_classifier\..*"),
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^predictions\.dense\.",
        norm=r"^predictions\.LayerNorm\.",
        decoder=r"^predictions\.decoder\.",
        bias=r"^predictions\.bias$",
    )
    classifier_weights = classifier_names(r"^(albert\.)?pooler\.", r"^classifier\.")

    def __init__(self, config: AlbertConfig) -> None:
        layers, groups = config.num_hidden_layers, config.num_hidden_groups
        require(groups <= layers, "num_hidden_groups", groups, f"1..num_hidden_layers={layers}")
        super().__init__(config)
        self.widen = Linear(config.embedding_size, self.width)

    def blocks(self) -> nn.ModuleList:
        """The blocks of each group."""
        inner = range(self.config.inner_group_num)
        groups = range(self.config.num_hidden_groups)
        return nn.ModuleList(nn.ModuleList(self.block() for _ in inner) for _ in groups)

    def stack(self) -> Iterator[nn.Module]:
        """Each group as often as its share of the layers."""
        layers, groups = self.config.num_hidden_layers, self.config.num_hidden_groups
        for layer in range(layers):
            yield from self.layers[int(layer / (layers / groups))].children()

    def embed(self, batch: TokenBatch) -> Tensor:
        """The embeddings, as wide as the layers."""
        x: Tensor = self.widen(super().embed(batch))
        return x
