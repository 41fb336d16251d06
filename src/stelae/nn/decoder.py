"""Language models as encoders: what all families of them share.

A family states in its config what its layers are like (``block``) and what each of
them sees (``sights``); the trunk, the names of tensors and the heads are here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from stelae.catalog.operations import Pooling
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import activation_of, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Count, Epsilon, Layers, Positive, Width
from stelae.nn.heads.choice import ChoiceHead
from stelae.nn.heads.classify import CLASSIFIER_NAMES, ClassifierHead
from stelae.nn.layers.attention import CAUSAL, EVERYWHERE, Span
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Activation
from stelae.nn.layers.norm import LayerNorm, RmsNorm
from stelae.nn.layers.prenorm import Block, PreNormLayer
from stelae.nn.layers.rotary import Rotary, rope_options
from stelae.nn.prenorm import PreNormBackbone
from stelae.nn.weights import WeightMap, assign

FULL, SLIDING = "full_attention", "sliding_attention"
"""Kinds of layers in ``layer_types``."""

Sight = tuple[Span, Rotary]
"""Which tokens a token sees in a layer, and where its angles come from."""


class DecoderConfig(msgspec.Struct, kw_only=True):
    """The part of ``config.json`` that all families have and that decides the numbers."""

    vocab_size: Count
    hidden_size: Width
    intermediate_size: Width
    num_hidden_layers: Layers
    num_attention_heads: Width
    num_key_value_heads: Width | None = None
    head_dim: Width | None = None
    hidden_act: str = "silu"
    rms_norm_eps: Epsilon = 1e-6
    max_position_embeddings: Count
    original_max_position_embeddings: Count | None = None
    rope_parameters: dict[str, Any] | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_theta: Positive = 10000.0
    partial_rotary_factor: float | None = None
    is_causal: bool = True
    sliding_window: Count | None = None
    layer_types: tuple[str, ...] | None = None
    pad_token_id: int | None = None
    tie_word_embeddings: bool = False
    final_logit_softcapping: Positive | None = None

    @property
    def scale(self) -> float:
        """Factor on the embeddings."""
        return 1.0

    @property
    def head(self) -> int:
        """Numbers per head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def activation(self) -> Activation:
        """Of the gate in the feed-forward block."""
        return activation_of(self.hidden_act)

    def block(self) -> Block:
        """What all layers have in common."""
        return Block(
            width=self.hidden_size,
            heads=self.num_attention_heads,
            kv_heads=self.num_key_value_heads or self.num_attention_heads,
            head=self.head,
            inner=self.intermediate_size,
            activation=self.activation,
            eps=self.rms_norm_eps,
        )

    def kinds(self) -> Sequence[str]:
        """Kind of each layer."""
        return (FULL,) * self.num_hidden_layers

    def sights(self) -> list[Sight]:
        """What each layer sees."""
        kinds, layers = self.kinds(), self.num_hidden_layers
        require(len(kinds) == layers, "layer_types", f"{len(kinds)} kinds", f"{layers} kinds")
        rotaries = self.rotaries()
        return [(self.span(kind), rotaries[kind]) for kind in kinds]

    def span(self, kind: str) -> Span:
        """Which tokens a token sees in layers of a kind."""
        require(kind in {FULL, SLIDING}, "layer_types", kind, f"{FULL}, {SLIDING}")
        if kind == FULL:
            return CAUSAL if self.is_causal else EVERYWHERE
        window = self.sliding_window
        if window is None:
            raise UnsupportedCheckpoint(f"config.json: {kind} needs sliding_window")
        return Span(window - 1, 0) if self.is_causal else Span(window, window)

    def rotaries(self) -> Mapping[str, Rotary]:
        """Angles of each kind of layer: the same for all."""
        options = rope_options(self.rope_parameters, self.rope_scaling, self.rope_theta)
        return dict.fromkeys((FULL, SLIDING), self.rotary(options))

    def rotary(self, options: Mapping[str, Any]) -> Rotary:
        """Angles for ``rope_parameters`` of one kind of layer."""
        nested = [kind for kind in (FULL, SLIDING) if kind in options]
        require(not nested, "rope_parameters", nested, "one set of options for all layers")
        part = options.get("partial_rotary_factor", self.partial_rotary_factor)
        require(part is None or part == 1, "partial_rotary_factor", part, "1.0")
        base = options["rope_theta"]
        positive = isinstance(base, int | float) and 0 < base < math.inf
        require(positive, "rope_theta", base, "positive numbers")
        trained = self.original_max_position_embeddings
        stated = {"original_max_position_embeddings": trained} if trained else {}
        positions = self.max_position_embeddings
        return Rotary(self.head, base, {**options, **stated}, positions=positions)


NAMES = {
    r"^embed_tokens\.": "words.",
    r"self_attn\.o_proj": "out",
    r"self_attn\.([qk])_norm": r"attention.\1_norm",
    r"input_layernorm": "attention_norm",
    r"mlp\.down_proj": "mlp.down",
}
FUSED = {
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "mlp.gate_up": ("mlp.gate_proj", "mlp.up_proj"),
}
UNUSED = (r"lm_head\.weight", r"score\.weight", r"layers\.\d+\.self_attn\.rotary_emb\.inv_freq")

TWO_NORMS = WeightMap(
    prefixes=("model.",),
    rename={**NAMES, r"post_attention_layernorm": "mlp_norm"},
    fuse=FUSED,
    ignore=UNUSED,
)
"""Names where each part's input is normalised."""

FOUR_NORMS = WeightMap(
    prefixes=("model.",),
    rename={
        **NAMES,
        r"post_attention_layernorm": "attention_after",
        r"pre_feedforward_layernorm": "mlp_norm",
        r"post_feedforward_layernorm": "mlp_after",
    },
    fuse=FUSED,
    ignore=UNUSED,
)
"""Names where each part's result is normalised too."""


def last_but(pad: int, x: Tensor, batch: TokenBatch) -> Tensor:
    """Vector of each text's last token other than ``pad``; of its first if there is none.

    # Quirk: transformers 5.17 finds the end of a text by looking for the padding token
    # instead of its mask, so a text that ends in that token itself is cut there.
    """
    places = torch.where(batch.ids == pad, 0, batch.positions)
    last = torch.zeros_like(batch.lengths).scatter_reduce_(0, batch.segments, places, "amax")
    return x[batch.starts + last].float()


class Decoder(PreNormBackbone):
    """A language model up to its last norm."""

    weights = TWO_NORMS
    classifier_weights = WeightMap(rename={r"^score\.": "out."}, only=CLASSIFIER_NAMES)

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.config = config
        self.width = config.hidden_size
        self.words = Embedding(config.vocab_size, self.width)
        block, sights = config.block(), config.sights()
        self.layers = nn.ModuleList(PreNormLayer(block, span) for span, _ in sights)
        self.rotaries = [rotary for _, rotary in sights]
        self.norm = block.norm()

    @property
    def last(self) -> RmsNorm | LayerNorm:
        """The norm behind all layers."""
        return self.norm

    def embed(self, batch: TokenBatch) -> Tensor:
        """Scaled vectors of the vocabulary, shape ``(T, H)``."""
        x: Tensor = self.words(batch.ids)
        return x * torch.full((), self.config.scale, dtype=x.dtype, device=x.device)

    def classifier(self, labels: int) -> ClassifierHead:
        """One product with the vector of the last token that is not padding."""
        pad = self.config.pad_token_id
        pool = Pooling.LAST_TOKEN if pad is None else partial(last_but, pad)
        return ClassifierHead(self.width, labels, pool=pool, hidden=None, out_bias=False)

    def choice(self, tensors: Mapping[str, Tensor], ids: Sequence[int]) -> ChoiceHead:
        """The head of ``...ForCausalLM`` for a few tokens, with its weights.

        Raises:
            UnsupportedCheckpoint: The checkpoint has no such head, or no such tokens.
        """
        tied = ("model.embed_tokens.weight", "embed_tokens.weight")
        names = ("lm_head.weight", *(tied if self.config.tie_word_embeddings else ()))
        matrix = next((tensors[name] for name in names if name in tensors), None)
        if matrix is None or not all(0 <= i < len(matrix) for i in ids):
            raise UnsupportedCheckpoint(
                f"the checkpoint has no rows {list(ids)} in any of {', '.join(names)}"
            )
        head = ChoiceHead(self.width, len(ids), softcap=self.config.final_logit_softcapping)
        assign(head, {"out.weight": matrix[list(ids)]}, torch.float32)
        return head
