"""Gemma 2: four norms per layer, capped scores, and a window in every other layer.

Source: Gemma Team 2024 (arXiv:2408.00118).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from stelae.nn.backbone import activation_of, architecture, require
from stelae.nn.decoder import FOUR_NORMS, FULL, SLIDING, Decoder, DecoderConfig, Sight
from stelae.nn.fields import Count, Positive, Width
from stelae.nn.layers.linear import Activation
from stelae.nn.layers.prenorm import Block


class GemmaConfig(DecoderConfig, kw_only=True):
    """What the generations of Gemma have in common."""

    num_key_value_heads: Width | None = 4
    head_dim: Width | None = 256
    hidden_activation: str = "gelu_pytorch_tanh"
    attention_bias: bool = False
    query_pre_attn_scalar: Positive = 256
    sliding_window: Count | None = 4096
    use_bidirectional_attention: bool | None = None
    pad_token_id: int | None = 0
    tie_word_embeddings: bool = True

    @property
    def scale(self) -> float:
        """Embeddings grow with the width."""
        return math.sqrt(self.hidden_size)

    @property
    def activation(self) -> Activation:
        """Kept under its own name."""
        return activation_of(self.hidden_activation, "hidden_activation")

    def block(self) -> Block:
        """Norms before and after each part; their weights are stored less one."""
        bias = self.attention_bias
        return replace(
            super().block(),
            norm_offset=1.0,
            qkv_bias=bias,
            out_bias=bias,
            sandwich=True,
            scale=self.query_pre_attn_scalar**-0.5,
        )


class Gemma2Config(GemmaConfig, kw_only=True):
    """Caps are on unless they are set to ``null``."""

    attn_logit_softcapping: Positive | None = 50.0
    final_logit_softcapping: Positive | None = 30.0

    def block(self) -> Block:
        """With a cap on the scores."""
        return replace(super().block(), softcap=self.attn_logit_softcapping)

    def kinds(self) -> Sequence[str]:
        """As listed, else windows in the first layer and every second after it."""
        every = range(self.num_hidden_layers)
        return self.layer_types or tuple(FULL if i % 2 else SLIDING for i in every)

    def sights(self) -> list[Sight]:
        """Causal, or bidirectional where ``is_causal`` is false.

        With ``use_bidirectional_attention`` alone the reference masks a text or not by
        whether its batch has padding, so no number of it can be called right.
        """
        asked = self.use_bidirectional_attention
        wanted = "false, or is_causal=false beside it"
        require(not asked or not self.is_causal, "use_bidirectional_attention", asked, wanted)
        return super().sights()


@architecture("Gemma2Model", "Gemma2ForCausalLM", "Gemma2ForSequenceClassification")
class Gemma2(Decoder):
    """Four norms per layer."""

    Config: ClassVar = Gemma2Config
    weights = FOUR_NORMS
