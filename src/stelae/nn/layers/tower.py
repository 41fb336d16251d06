"""Pre-norm layers with biases, as the towers for texts and pictures have them.

Source: Radford et al. 2021 (arXiv:2103.00020), Dosovitskiy et al. 2020 (arXiv:2010.11929).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from stelae.nn.backbone import require
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import EVERYWHERE, Span, attend, split
from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.layers.mlp import Mlp
from stelae.nn.layers.norm import LayerNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What all layers of a tower have in common.

    Attributes:
        width: Width of a token vector.
        heads: Attention heads.
        inner: Width between the two products of the feed-forward block.
        activation: Between them.
        eps: Added to the variance by every norm.
        span: Which tokens a token sees.
    """

    width: int
    heads: int
    inner: int
    activation: Activation
    eps: float
    span: Span = EVERYWHERE

    def __post_init__(self) -> None:
        whole = f"a divisor of hidden_size={self.width}"
        require(self.width % self.heads == 0, "num_attention_heads", self.heads, whole)

    def mlp(self) -> Mlp:
        """Two products with an activation between."""
        return Mlp(self.width, self.inner, self.activation)


class TowerLayer(nn.Module):
    """Attention, then a feed-forward block: each reads the normalised sum of all before it.

    Args:
        sizes: Sizes and options.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads, self.span = sizes.heads, sizes.span
        self.norm1 = LayerNorm(sizes.width, sizes.eps)
        self.qkv = Linear(sizes.width, 3 * sizes.width)
        self.out = Linear(sizes.width, sizes.width)
        self.norm2 = LayerNorm(sizes.width, sizes.eps)
        self.mlp = sizes.mlp()

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Token vectors in and out, shape ``(T, width)``."""
        mixed = attend(*split(self.qkv(self.norm1(x)), self.heads), batch, span=self.span)
        x = self.out.add(mixed, x)
        return self.mlp.add(self.norm2(x), x)


NAMES: dict[str, str] = {
    r"^encoder\.layers\.": "layers.",
    r"self_attn\.out_proj\.": "out.",
    r"layer_norm([12])\.": r"norm\1.",
    r"mlp\.fc1\.": "mlp.up.",
    r"mlp\.fc2\.": "mlp.down.",
}
"""Tensor names of a layer in transformers."""

OPEN_CLIP_NAMES: dict[str, str] = {
    r"^transformer\.resblocks\.": "layers.",
    r"attn\.in_proj_(weight|bias)$": r"qkv.\1",
    r"attn\.out_proj\.": "out.",
    r"ln_([12])\.": r"norm\1.",
    r"mlp\.c_fc\.": "mlp.up.",
    r"mlp\.c_proj\.": "mlp.down.",
}
"""Tensor names of a layer in open_clip."""

QKV: dict[str, tuple[str, ...]] = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
}
"""Products that are fused."""
