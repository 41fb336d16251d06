"""Qwen2: biases on queries, keys and values, and a window in the upper layers if asked for.

Source: Qwen Team 2024 (arXiv:2407.10671).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from stelae.nn.backbone import architecture
from stelae.nn.decoder import FULL, SLIDING, Decoder, DecoderConfig
from stelae.nn.fields import Count, Width
from stelae.nn.layers.prenorm import Block


class Qwen2Config(DecoderConfig, kw_only=True):
    """``sliding_window`` counts only where ``use_sliding_window`` is set."""

    num_key_value_heads: Width | None = 32
    use_sliding_window: bool = False
    sliding_window: Count | None = 4096
    max_window_layers: int = 28

    def __post_init__(self) -> None:
        if not self.use_sliding_window:
            self.sliding_window = None

    def block(self) -> Block:
        """Biases before attention, none after."""
        return replace(super().block(), qkv_bias=True)

    def kinds(self) -> Sequence[str]:
        """As listed, else windows from layer ``max_window_layers`` on."""
        if self.layer_types is not None:
            return self.layer_types
        full = self.num_hidden_layers if self.sliding_window is None else self.max_window_layers
        return tuple(FULL if i < full else SLIDING for i in range(self.num_hidden_layers))


@architecture("Qwen2Model", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification")
class Qwen2(Decoder):
    """Two norms per layer; bidirectional where ``is_causal`` is false, as in GTE."""

    Config: ClassVar = Qwen2Config
