"""ModernBERT: rotary positions, windows in two layers of three, gated feed-forward blocks.

Source: Warner et al. 2024 (arXiv:2412.13663).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec
from torch import Tensor, nn

from stelae.catalog.operations import Pooling
from stelae.nn.backbone import activation_of, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Count, Epsilon, Layers, Positive, Width
from stelae.nn.heads.classify import CLASSIFIER_NAMES, ClassifierHead
from stelae.nn.heads.masked_lm import MASKED_LM_NAMES, MaskedLmHead
from stelae.nn.layers.attention import EVERYWHERE, Span
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.norm import LayerNorm, RmsNorm
from stelae.nn.layers.prenorm import CentredBlock, PreNormLayer
from stelae.nn.layers.rotary import Rotary, rope_options
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

    def block(self) -> CentredBlock:
        """What all layers have in common."""
        width, heads = self.hidden_size, self.num_attention_heads
        whole = f"divisors of hidden_size={width} with an even quotient"
        require(width % (2 * heads) == 0, "num_attention_heads", heads, whole)
        return CentredBlock(
            width=width,
            heads=heads,
            kv_heads=heads,
            head=width // heads,
            inner=self.intermediate_size,
            activation=activation_of(self.hidden_activation, "hidden_activation"),
            eps=self.norm_eps,
            norm_bias=self.norm_bias,
            qkv_bias=self.attention_bias,
            out_bias=self.attention_bias,
            mlp_bias=self.mlp_bias,
        )

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


@architecture("ModernBertModel", "ModernBertForMaskedLM", "ModernBertForSequenceClassification")
class ModernBert(PreNormBackbone):
    """Bidirectional encoder without a table of positions."""

    Config: ClassVar = ModernBertConfig
    weights = WeightMap(
        prefixes=("model.",),
        rename={
            r"^embeddings\.tok_embeddings\.": "words.",
            r"^embeddings\.norm\.": "norm.",
            r"attn_norm\.": "attention_norm.",
            r"attn\.Wqkv\.": "attention.qkv.",
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
        block = config.block()
        self.words = Embedding(config.vocab_size, self.width)
        self.norm = block.norm()
        reach = config.local_attention // 2
        spans = {FULL: EVERYWHERE, SLIDING: Span(reach, reach)}
        kinds = config.kinds()
        layers = [PreNormLayer(block, spans[kind]) for kind in kinds]
        layers[0].attention_norm = None  # the embeddings are normalised already
        self.layers = nn.ModuleList(layers)
        rotaries = {kind: config.rotary(kind) for kind in dict.fromkeys(kinds)}
        self.rotaries = [rotaries[kind] for kind in kinds]
        self.final_norm = block.norm()

    @property
    def last(self) -> RmsNorm | LayerNorm:
        """The norm behind all layers."""
        return self.final_norm

    def embed(self, batch: TokenBatch) -> Tensor:
        """Normalised vectors of the vocabulary, shape ``(T, H)``."""
        normed: Tensor = self.norm(self.words(batch.ids))
        return normed

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
