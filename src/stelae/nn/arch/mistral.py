"""Mistral: Llama without biases, with a window on what tokens see.

Source: Jiang et al. 2023 (arXiv:2310.06825).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from stelae.nn.backbone import architecture
from stelae.nn.decoder import FULL, SLIDING, Decoder, DecoderConfig
from stelae.nn.fields import Count, Width


class MistralConfig(DecoderConfig, kw_only=True):
    """A window of ``null`` is none."""

    num_key_value_heads: Width | None = 8
    sliding_window: Count | None = 4096

    def kinds(self) -> Sequence[str]:
        """The same kind for all layers; ``layer_types`` is not read."""
        return (FULL if self.sliding_window is None else SLIDING,) * self.num_hidden_layers


@architecture("MistralModel", "MistralForCausalLM", "MistralForSequenceClassification")
class Mistral(Decoder):
    """Two norms per layer, no biases."""

    Config: ClassVar = MistralConfig
