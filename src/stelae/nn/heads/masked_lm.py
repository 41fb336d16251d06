"""How likely each word of the vocabulary stands at a token's place.

Source: Devlin et al. 2018 (arXiv:1810.04805), appendix A.1.
"""

from __future__ import annotations

from torch import Tensor, nn

from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.layers.norm import LayerNorm

MASKED_LM_NAMES = (r"(dense|norm|decoder)\.(weight|bias)",)
"""Tensors of the head, for ``WeightMap.only``."""


class MaskedLmHead(nn.Module):
    """A dense layer, its activation and norm if there are any, then the vocabulary.

    Args:
        width: Width of a token vector, ``H``.
        vocabulary: Number of words, ``V``.
        inner: Width after the dense layer; ``None`` for ``width``.
        eps: Of the norm.
        activation: Of the dense layer; ``None`` if there is no such layer.
        norm: Whether there is a norm.
        bias: Whether the product with the vocabulary has a bias.
        hidden_bias: Whether the dense layer has one.
        norm_bias: Whether the norm has one.
    """

    def __init__(
        self,
        width: int,
        vocabulary: int,
        *,
        inner: int | None = None,
        eps: float,
        activation: Activation | None,
        norm: bool = True,
        bias: bool = True,
        hidden_bias: bool = True,
        norm_bias: bool = True,
    ) -> None:
        super().__init__()
        inner = inner or width
        self.dense: nn.Module = nn.Identity()
        if activation is not None:
            self.dense = Linear(width, inner, bias=hidden_bias, activation=activation)
        self.norm = LayerNorm(inner, eps, bias=norm_bias) if norm else nn.Identity()
        self.decoder = Linear(inner, vocabulary, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Token vectors ``(T, H)`` to logits ``(T, V)``."""
        logits: Tensor = self.decoder(self.norm(self.dense(x)))
        return logits
