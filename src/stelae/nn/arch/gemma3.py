"""Gemma 3: Gemma 2 with norms on queries and keys in place of caps, and two kinds of angles.

Source: Gemma Team 2025 (arXiv:2503.19786); bidirectional, as an encoder: EmbeddingGemma,
Vera et al. 2025 (arXiv:2509.20354).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from stelae.nn.arch.gemma2 import GemmaConfig
from stelae.nn.backbone import architecture
from stelae.nn.decoder import FOUR_NORMS, FULL, SLIDING, Decoder
from stelae.nn.fields import Count, Positive
from stelae.nn.layers.attention import Span
from stelae.nn.layers.prenorm import Block
from stelae.nn.layers.rotary import Rotary


class Gemma3Config(GemmaConfig, kw_only=True):
    """Angles of local and global layers, in the older form by names of their own."""

    rope_theta: Positive = 1_000_000.0
    rope_local_base_freq: Positive = 10000.0
    sliding_window_pattern: Count = 6

    def __post_init__(self) -> None:
        if self.use_bidirectional_attention and self.sliding_window is not None:
            self.sliding_window = self.sliding_window // 2 + 1

    def block(self) -> Block:
        """With norms on queries and keys."""
        return replace(super().block(), qk_norm=True)

    def kinds(self) -> Sequence[str]:
        """As listed, else a window in all but every ``sliding_window_pattern``-th layer."""
        every = range(1, self.num_hidden_layers + 1)
        pattern = self.sliding_window_pattern
        return self.layer_types or tuple(SLIDING if i % pattern else FULL for i in every)

    def span(self, kind: str) -> Span:
        """Bidirectional layers see as far ahead as back."""
        seen = super().span(kind)
        mirrored = self.use_bidirectional_attention and self.is_causal
        return Span(seen.before, seen.before) if mirrored else seen

    def rotaries(self) -> Mapping[str, Rotary]:
        """Each kind has its own; only those of global layers are ever slowed."""
        stated = self.rope_parameters or {}
        wide = {"rope_type": "default", "rope_theta": self.rope_theta}
        near = {"rope_type": "default", "rope_theta": self.rope_local_base_freq}
        return {
            FULL: self.rotary({**wide, **(stated.get(FULL) or {}), **(self.rope_scaling or {})}),
            SLIDING: self.rotary({**near, **(stated.get(SLIDING) or {})}),
        }


@architecture("Gemma3TextModel", "Gemma3ForCausalLM", "Gemma3TextForSequenceClassification")
class Gemma3(Decoder):
    """Four norms per layer."""

    Config: ClassVar = Gemma3Config
    weights = FOUR_NORMS
