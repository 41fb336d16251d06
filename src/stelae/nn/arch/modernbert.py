"""ModernBERT: rotary positions, windows in two layers of three, gated feed-forward blocks.

Source: Warner et al. 2024 (arXiv:2412.13663).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, cast

import msgspec
from torch import Tensor, nn

from stelae.catalog.operations import Pooling
from stelae.nn.backbone import activation_of, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Count, Epsilon, Layers, Positive, Width
from stelae.nn.heads.classify import CLASSIFIER_NAMES, ClassifierHead
from stelae.nn.heads.masked_lm import MASKED_LM_NAMES, MaskedLmHead
from stelae.nn.kernels.prenorm import Shared
from stelae.nn.layers.attention import EVERYWHERE, Span, attend, split
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Linear
from stelae.nn.layers.mlp import GatedMlp
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.prenorm import Parts
from stelae.nn.layers.rotary import Rotary, Table, rope_options, rotate
from stelae.nn.prenorm import PreNormBackbone
from stelae.nn.weights import WeightMap

FULL, SLIDING = "full_attention", "sliding_attention"
HEAD = {r"^head\.dense\.": "dense.", r"^head\.norm\.": "norm."}


class ModernBertConfig(msgspec.Struct, kw_only=True):
    """The part of ``config.json`` that decides the numbers."""

    vocab_size: Count
    hidden_size: Width
    intermediate_size: Width
    num_hidden_layers: Layers
    num_attention_heads: Width
    max_position_embeddings: Count
    hidden_activation: str = "gelu"
    norm_eps: Epsilon = 1e-5
    norm_bias: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    decoder_bias: bool = True
    local_attention: Count = 128
    global_attn_every_n_layers: Count = 3
    layer_types: tuple[str, ...] | None = None
    rope_parameters: dict[str, Any] | None = None
    rope_scaling: dict[str, Any] | None = None
    global_rope_theta: Positive = 160_000.0
    local_rope_theta: Positive | None = 10_000.0
    classifier_pooling: Literal["cls", "mean"] = "cls"
    classifier_bias: bool = False
    classifier_activation: str = "gelu"

    def kinds(self) -> tuple[str, ...]:
        """Kind of each layer."""
        period = self.global_attn_every_n_layers
        stated = self.layer_types or tuple(
            SLIDING if index % period else FULL for index in range(self.num_hidden_layers)
        )
        unknown = sorted({*stated} - {FULL, SLIDING})
        require(not unknown, "layer_types", unknown, f"{FULL}, {SLIDING}")
        whole = f"{self.num_hidden_layers} kinds"
        require(len(stated) == self.num_hidden_layers, "layer_types", len(stated), whole)
        return stated

    def rotary(self, kind: str) -> Rotary:
        """Angles of one kind of layer."""
        own = (self.rope_parameters or {}).get(kind)
        theta = self.global_rope_theta
        if kind == SLIDING and self.local_rope_theta is not None:
            theta = self.local_rope_theta
        options = rope_options(own, self.rope_scaling, theta)
        width = self.hidden_size // self.num_attention_heads
        base = options["rope_theta"]
        return Rotary(width, base, options, positions=self.max_position_embeddings)


class ModernBertLayer(nn.Module):
    """Attention, then a feed-forward block: each reads the normalised sum of all before it."""

    def __init__(self, config: ModernBertConfig, span: Span, *, first: bool) -> None:
        super().__init__()
        width, eps, bias = config.hidden_size, config.norm_eps, config.norm_bias
        self.heads, self.span = config.num_attention_heads, span
        # The embeddings are normalised already.
        self.qkv_norm = None if first else LayerNorm(width, eps, bias=bias)
        self.qkv = Linear(width, 3 * width, bias=config.attention_bias)
        self.out = Linear(width, width, bias=config.attention_bias)
        self.mlp_norm = LayerNorm(width, eps, bias=bias)
        activation = activation_of(config.hidden_activation, "hidden_activation")
        self.mlp = GatedMlp(width, config.intermediate_size, activation, bias=config.mlp_bias)

    def forward(self, x: Tensor, batch: TokenBatch, table: Table) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``."""
        normed = x if self.qkv_norm is None else self.qkv_norm(x)
        q, k, v = split(self.qkv(normed), self.heads)
        mixed = attend(rotate(q, table), rotate(k, table), v, batch, span=self.span)
        x = self.out.add(mixed, x)
        return self.mlp.add(self.mlp_norm(x), x)

    def parts(self) -> Parts:
        """What the layer consists of."""
        heads = self.heads
        return Parts(
            attention_norm=self.qkv_norm,
            qkv=self.qkv,
            span=self.span,
            out=self.out,
            mlp_norm=self.mlp_norm,
            up=self.mlp.gate_up,
            down=self.mlp.down,
            shared=Shared(heads, heads, self.out.inputs // heads, self.mlp_norm.eps),
        )


@architecture("ModernBertModel", "ModernBertForMaskedLM", "ModernBertForSequenceClassification")
class ModernBert(PreNormBackbone):
    """Bidirectional encoder without a table of positions."""

    Config: ClassVar = ModernBertConfig
    weights = WeightMap(
        prefixes=("model.",),
        rename={
            r"^embeddings\.tok_embeddings\.": "words.",
            r"^embeddings\.norm\.": "norm.",
            r"attn_norm\.": "qkv_norm.",
            r"attn\.Wqkv\.": "qkv.",
            r"attn\.Wo\.": "out.",
            r"mlp\.Wi\.": "mlp.gate_up.",
            r"mlp\.Wo\.": "mlp.down.",
        },
        ignore=(r"head\..*", r"decoder\..*", r"classifier\..*"),
    )
    masked_lm_weights = WeightMap(rename=HEAD, only=MASKED_LM_NAMES)
    classifier_weights = WeightMap(rename={**HEAD, r"^classifier\.": "out."}, only=CLASSIFIER_NAMES)

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.config, self.width = config, config.hidden_size
        width, heads = config.hidden_size, config.num_attention_heads
        whole = f"divisors of hidden_size={width} with an even quotient"
        require(width % (2 * heads) == 0, "num_attention_heads", heads, whole)
        self.words = Embedding(config.vocab_size, width)
        self.norm = LayerNorm(width, config.norm_eps, bias=config.norm_bias)
        reach = config.local_attention // 2
        spans = {FULL: EVERYWHERE, SLIDING: Span(reach, reach)}
        kinds = config.kinds()
        self.layers = nn.ModuleList(
            ModernBertLayer(config, spans[kind], first=index == 0)
            for index, kind in enumerate(kinds)
        )
        rotaries = {kind: config.rotary(kind) for kind in dict.fromkeys(kinds)}
        self.rotaries = [rotaries[kind] for kind in kinds]
        self.final_norm = LayerNorm(width, config.norm_eps, bias=config.norm_bias)

    @property
    def last(self) -> LayerNorm:
        """The norm behind all layers."""
        return self.final_norm

    def embed(self, batch: TokenBatch) -> Tensor:
        """Normalised vectors of the vocabulary, shape ``(T, H)``."""
        normed: Tensor = self.norm(self.words(batch.ids))
        return normed

    def parts(self, layer: nn.Module) -> Parts:
        """What a layer consists of."""
        return cast(ModernBertLayer, layer).parts()

    def masked_lm(self) -> MaskedLmHead:
        """The head for masked words."""
        config = self.config
        return MaskedLmHead(
            self.width,
            config.vocab_size,
            eps=config.norm_eps,
            activation=activation_of(config.classifier_activation, "classifier_activation"),
            bias=config.decoder_bias,
            hidden_bias=config.classifier_bias,
            norm_bias=config.norm_bias,
        )

    def classifier(self, labels: int) -> ClassifierHead:
        """The head for classes: first token or mean, a dense layer with its norm."""
        config = self.config
        return ClassifierHead(
            self.width,
            labels,
            pool=Pooling(config.classifier_pooling),
            hidden=activation_of(config.classifier_activation, "classifier_activation"),
            norm_eps=config.norm_eps,
            hidden_bias=config.classifier_bias,
            norm_bias=config.norm_bias,
        )
