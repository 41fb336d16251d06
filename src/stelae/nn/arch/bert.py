"""BERT: learned absolute positions, post-norm blocks, GELU.

Source: Devlin et al. 2018 (arXiv:1810.04805).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec
from torch import Tensor, nn

from stelae.nn.backbone import Backbone, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import attend, split
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.weights import WeightMap

ACTIVATIONS: dict[str, Activation] = {"gelu": "gelu", "relu": "relu", "silu": "silu"}


class BertConfig(msgspec.Struct):
    """The part of ``config.json`` that decides the numbers."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    position_embedding_type: str = "absolute"
    is_decoder: bool = False


class BertLayer(nn.Module):
    """Attention, then a feed-forward block, each added to its input and normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)
        self.out_norm = LayerNorm(width, eps)
        activation = ACTIVATIONS[config.hidden_act]
        self.up = Linear(width, config.intermediate_size, activation=activation)
        self.down = Linear(config.intermediate_size, width)
        self.down_norm = LayerNorm(width, eps)

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``."""
        x = self.out_norm(self.out.add(attend(*split(self.qkv(x), self.heads), batch), x))
        normed: Tensor = self.down_norm(self.down.add(self.up(x), x))
        return normed


@architecture("BertModel", "BertForMaskedLM", "BertForPreTraining")
class Bert(Backbone):
    """Bidirectional encoder; the pooler and the heads of pre-training are not part of it."""

    Config: ClassVar = BertConfig
    weights = WeightMap(
        prefixes=("bert.",),
        rename={
            r"LayerNorm\.gamma$": "LayerNorm.weight",
            r"LayerNorm\.beta$": "LayerNorm.bias",
            r"^encoder\.layer\.": "layers.",
            r"^embeddings\.word_embeddings": "words",
            r"^embeddings\.position_embeddings": "positions",
            r"^embeddings\.token_type_embeddings": "types",
            r"^embeddings\.LayerNorm": "norm",
            r"attention\.output\.LayerNorm": "out_norm",
            r"attention\.output\.dense": "out",
            r"intermediate\.dense": "up",
            r"output\.LayerNorm": "down_norm",
            r"output\.dense": "down",
        },
        fuse={"qkv": ("attention.self.query", "attention.self.key", "attention.self.value")},
        ignore=(r"embeddings\.position_ids", r"pooler\..*", r"cls\..*"),
    )

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        require(
            config.position_embedding_type == "absolute",
            "position_embedding_type",
            config.position_embedding_type,
            "absolute",
        )
        require(
            config.hidden_act in ACTIVATIONS,
            "hidden_act",
            config.hidden_act,
            ", ".join(ACTIVATIONS),
        )
        require(not config.is_decoder, "is_decoder", config.is_decoder, "false")
        self.width = config.hidden_size
        self.words = Embedding(config.vocab_size, self.width)
        self.positions = Embedding(config.max_position_embeddings, self.width)
        self.types = Embedding(config.type_vocab_size, self.width)
        self.norm = LayerNorm(self.width, config.layer_norm_eps)
        self.layers = nn.ModuleList(BertLayer(config) for _ in range(config.num_hidden_layers))

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each layer, each ``(T, H)``."""
        types = self.types.weight[0] if batch.types is None else self.types(batch.types)
        x: Tensor = self.words(batch.ids) + types + self.positions(batch.positions)
        x = self.norm(x)
        yield x
        for layer in self.layers:
            x = layer(x, batch)
            yield x
