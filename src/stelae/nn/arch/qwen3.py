"""Qwen3: queries and keys are normalised, and heads have a width of their own.

Source: Qwen Team 2025 (arXiv:2505.09388).
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from stelae.nn.arch.qwen2 import Qwen2Config
from stelae.nn.backbone import architecture
from stelae.nn.decoder import Decoder
from stelae.nn.fields import Width
from stelae.nn.layers.prenorm import Block


class Qwen3Config(Qwen2Config, kw_only=True):
    """Windows as in Qwen2."""

    head_dim: Width | None = 128
    attention_bias: bool = False

    def block(self) -> Block:
        """Norms on queries and keys, biases if asked for."""
        bias = self.attention_bias
        return replace(super().block(), qk_norm=True, qkv_bias=bias, out_bias=bias)


@architecture("Qwen3Model", "Qwen3ForCausalLM", "Qwen3ForSequenceClassification")
class Qwen3(Decoder):
    """Two norms per layer."""

    Config: ClassVar = Qwen3Config
