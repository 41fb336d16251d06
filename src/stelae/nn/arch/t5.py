"""T5, mT5 and UMT5, the encoder alone: no positions but a number for each distance.

A checkpoint of the whole model is read too; its decoder plays no part.

Source: Raffel et al. 2020 (arXiv:1910.10683); the gated form: Shazeer 2020
(arXiv:2002.05202); UMT5: Chung et al. 2023 (arXiv:2304.09151). As encoders of
sentences: Ni et al. 2021 (arXiv:2108.08877, arXiv:2112.07899).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, cast

import msgspec
from torch import Tensor, nn

from stelae.nn.backbone import Backbone, activation_of, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Count, Epsilon, Layers, Width
from stelae.nn.layers.attention import ByDistance, attend, split
from stelae.nn.layers.buckets import RelativeBias
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.layers.mlp import GatedMlp, Mlp
from stelae.nn.layers.norm import RmsNorm
from stelae.nn.weights import WeightMap

GATED = "gated-"


class T5Config(msgspec.Struct, kw_only=True):
    """The part of ``config.json`` that decides the numbers, with the library's defaults.

    Newer files state what ``feed_forward_proj`` means, and that counts.
    """

    vocab_size: Count = 32128
    d_model: Width = 512
    d_kv: Width = 64
    d_ff: Width = 2048
    num_layers: Layers = 6
    num_heads: Width = 8
    relative_attention_num_buckets: Count = 32
    relative_attention_max_distance: Count = 128
    layer_norm_epsilon: Epsilon = 1e-6
    feed_forward_proj: str = "relu"
    is_gated_act: bool | None = None
    dense_act_fn: str | None = None
    is_decoder: bool = False

    @property
    def gated(self) -> bool:
        """Whether the feed-forward blocks have a gate."""
        stated = self.is_gated_act
        return self.feed_forward_proj.startswith(GATED) if stated is None else stated

    @property
    def activation(self) -> Activation:
        """Of the feed-forward blocks; ``gated-gelu`` means the approximation."""
        if self.dense_act_fn is not None:
            return activation_of(self.dense_act_fn, "dense_act_fn")
        if self.feed_forward_proj == "gated-gelu":
            return "gelu_tanh"
        return activation_of(self.feed_forward_proj.removeprefix(GATED), "feed_forward_proj")

    def mlp(self) -> Mlp | GatedMlp:
        """A feed-forward block."""
        kind = GatedMlp if self.gated else Mlp
        return kind(self.d_model, self.d_ff, self.activation, bias=False)

    def distances(self) -> RelativeBias:
        """A table of numbers for distances."""
        buckets, farthest = (
            self.relative_attention_num_buckets,
            self.relative_attention_max_distance,
        )
        require(buckets % 4 == 0, "relative_attention_num_buckets", buckets, "multiples of 4")
        beyond = f"more than a quarter of relative_attention_num_buckets={buckets}"
        require(farthest > buckets // 4, "relative_attention_max_distance", farthest, beyond)
        return RelativeBias(buckets, self.num_heads, farthest)


class MT5Config(T5Config, kw_only=True):
    """Gated unless it says otherwise."""

    vocab_size: Count = 250112
    d_ff: Width = 1024
    num_layers: Layers = 8
    num_heads: Width = 6
    feed_forward_proj: str = "gated-gelu"


class T5Layer(nn.Module):
    """Attention, then a feed-forward block: each reads the normalised sum of all before it.

    Args:
        config: Sizes and options.
        distances: Whether the layer has a table of distances of its own.
    """

    def __init__(self, config: T5Config, *, distances: bool) -> None:
        super().__init__()
        width, inner, eps = (
            config.d_model,
            config.num_heads * config.d_kv,
            config.layer_norm_epsilon,
        )
        self.heads = config.num_heads
        self.distances = config.distances() if distances else None
        self.qkv_norm = RmsNorm(width, eps)
        self.qkv = Linear(width, 3 * inner, bias=False)
        self.out = Linear(inner, width, bias=False)
        self.mlp_norm = RmsNorm(width, eps)
        self.mlp = config.mlp()

    def forward(self, x: Tensor, batch: TokenBatch, bias: ByDistance | None) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``; scores are not scaled."""
        q, k, v = split(self.qkv(self.qkv_norm(x)), self.heads)
        x = self.out.add(attend(q, k, v, batch, scale=1.0, bias=bias), x)
        return self.mlp.add(self.mlp_norm(x), x)


@architecture("T5EncoderModel", "T5Model", "T5ForConditionalGeneration")
class T5(Backbone):
    """All layers share the first one's table of distances.

    Attributes:
        every: Whether each layer has a table of its own instead.
    """

    Config: ClassVar = T5Config
    every: ClassVar = False
    weights = WeightMap(
        prefixes=("encoder.",),
        rename={
            r"^(shared|embed_tokens)\.": "words.",
            r"^block\.": "layers.",
            r"layer\.0\.SelfAttention\.relative_attention_bias": "distances",
            r"layer\.0\.SelfAttention\.o\.": "out.",
            r"layer\.0\.layer_norm": "qkv_norm",
            r"layer\.1\.DenseReluDense\.wi\.": "mlp.up.",
            r"layer\.1\.DenseReluDense\.wo\.": "mlp.down.",
            r"layer\.1\.layer_norm": "mlp_norm",
            r"^final_layer_norm": "norm",
        },
        fuse={
            "qkv": tuple(f"layer.0.SelfAttention.{part}" for part in "qkv"),
            "mlp.gate_up": ("layer.1.DenseReluDense.wi_0", "layer.1.DenseReluDense.wi_1"),
        },
        ignore=(r"decoder\..*", r"lm_head\..*"),
        spare=(r"shared\.weight",),  # the encoder's own words count before those it shares
    )

    def __init__(self, config: T5Config) -> None:
        super().__init__(config)
        require(not config.is_decoder, "is_decoder", config.is_decoder, "false")
        self.width = config.d_model
        self.words = Embedding(config.vocab_size, self.width)
        self.layers = nn.ModuleList(
            T5Layer(config, distances=self.every or layer == 0)
            for layer in range(config.num_layers)
        )
        self.norm = RmsNorm(self.width, config.layer_norm_epsilon)

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Embeddings, then token vectors after each layer, the last normalised."""
        x: Tensor = self.words(batch.ids)
        bias: ByDistance | None = None
        for layer in cast("Iterable[T5Layer]", self.layers):
            yield x
            if layer.distances is not None:
                bias = layer.distances(batch)
            x = layer(x, batch, bias)
        yield self.norm(x)


@architecture("MT5EncoderModel", "MT5Model", "MT5ForConditionalGeneration")
class MT5(T5):
    """T5 for many languages."""

    Config: ClassVar = MT5Config


@architecture("UMT5EncoderModel", "UMT5Model", "UMT5ForConditionalGeneration")
class UMT5(T5):
    """T5 with a table of distances in each layer."""

    Config: ClassVar = MT5Config
    every: ClassVar = True
