"""Llama: a causal decoder with grouped keys; bidirectional where ``is_causal`` is false.

Source: Touvron et al. 2023 (arXiv:2302.13971).
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from stelae.nn.backbone import architecture
from stelae.nn.decoder import Decoder, DecoderConfig
from stelae.nn.layers.prenorm import Block


class LlamaConfig(DecoderConfig, kw_only=True):
    """Biases are optional."""

    attention_bias: bool = False
    mlp_bias: bool = False

    def block(self) -> Block:
        """Layers with or without biases."""
        bias = self.attention_bias
        return replace(super().block(), qkv_bias=bias, out_bias=bias, mlp_bias=self.mlp_bias)


@architecture("LlamaModel", "LlamaForCausalLM", "LlamaForSequenceClassification")
class Llama(Decoder):
    """Two norms per layer, every token sees all before it."""

    Config: ClassVar = LlamaConfig
