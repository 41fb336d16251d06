"""Pre-norm layers with rotary attention and a gated feed-forward block.

Source: Touvron et al. 2023 (arXiv:2302.13971); norms of queries and keys: Dehghani et
al. 2023 (arXiv:2302.05442); norms after each part: Gemma Team 2024 (arXiv:2408.00118).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from stelae.nn.backbone import require
from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.prenorm import Shared
from stelae.nn.layers.attention import Span, attend, split
from stelae.nn.layers.linear import Activation, GatedLinear, Linear
from stelae.nn.layers.mlp import GatedMlp
from stelae.nn.layers.norm import LayerNorm, RmsNorm
from stelae.nn.layers.rotary import Table, rotate


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What all layers of a transformer have in common.

    Attributes:
        width: Width of a token vector.
        heads: Query heads.
        kv_heads: Key and value heads; each serves ``heads / kv_heads`` query heads.
        head: Numbers per head.
        inner: Width between the two products of the feed-forward block.
        activation: Of the gate.
        eps: Added to the mean square by every norm.
        norm_offset: Added to the weight of every norm.
        qkv_bias: Whether queries, keys and values have biases.
        out_bias: Whether the projection after attention has one.
        mlp_bias: Whether the feed-forward block has biases.
        qk_norm: Whether queries and keys are normalised, each head for itself.
        sandwich: Whether each part's result is normalised before it is added.
        scale: Factor on the scores; ``None`` for ``1 / sqrt(head)``.
        softcap: Bound of the scores; ``None`` for none.
    """

    width: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    activation: Activation
    eps: float
    norm_offset: float = 0.0
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    sandwich: bool = False
    scale: float | None = None
    softcap: float | None = None

    def __post_init__(self) -> None:
        whole = f"a divisor of num_attention_heads={self.heads}"
        require(self.heads % self.kv_heads == 0, "num_key_value_heads", self.kv_heads, whole)
        require(self.head % 2 == 0, "head_dim", self.head, "even numbers")

    @property
    def shared(self) -> Shared:
        """What a kernel is to know of all layers."""
        eps, scale = self.eps, self.scale
        return Shared(self.heads, self.kv_heads, self.head, eps, scale, self.softcap)

    def norm(self) -> RmsNorm | LayerNorm:
        """A norm of token vectors."""
        return RmsNorm(self.width, self.eps, offset=self.norm_offset)

    def head_norm(self) -> RmsNorm | None:
        """A norm of queries or keys, each head for itself, if there is one."""
        return RmsNorm(self.head, self.eps, offset=self.norm_offset) if self.qk_norm else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CentredBlock(Block):
    """What all layers have in common where norms subtract the mean.

    Attributes:
        norm_bias: Whether norms have biases.
    """

    norm_bias: bool

    def norm(self) -> LayerNorm:
        """A norm of token vectors."""
        return LayerNorm(self.width, self.eps, bias=self.norm_bias)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """What a layer consists of, in the order in which it runs.

    Attributes:
        attention_norm: ``None`` where attention reads rows as they are.
        qkv: To queries, keys and values.
        q_norm: Of each head of a query; ``None`` for none.
        k_norm: Of each head of a key; ``None`` for none.
        span: Which tokens a token sees.
        out: Behind attention.
        attention_after: Of what that adds; ``None`` for none.
        mlp_norm: Before the feed-forward block.
        up: Its first product.
        down: Its second.
        mlp_after: Of what it adds; ``None`` for none.
        shared: What all layers have in common.
    """

    attention_norm: RmsNorm | LayerNorm | None
    qkv: Linear
    q_norm: RmsNorm | None = None
    k_norm: RmsNorm | None = None
    span: Span
    out: Linear
    attention_after: RmsNorm | LayerNorm | None = None
    mlp_norm: RmsNorm | LayerNorm
    up: Linear | GatedLinear
    down: Linear
    mlp_after: RmsNorm | LayerNorm | None = None
    shared: Shared

    @property
    def norms(self) -> list[RmsNorm | LayerNorm]:
        """Those that there are."""
        ends = [self.attention_norm, self.attention_after, self.mlp_norm, self.mlp_after]
        return [norm for norm in (*ends, self.q_norm, self.k_norm) if norm is not None]


class RotaryAttention(nn.Module):
    """Queries, keys and values, turned and mixed; without the projection afterwards.

    Args:
        block: Sizes and options.
        span: Which tokens a token sees.
    """

    def __init__(self, block: Block, span: Span) -> None:
        super().__init__()
        self.block, self.span = block, span
        outputs = (block.heads + 2 * block.kv_heads) * block.head
        self.qkv = Linear(block.width, outputs, bias=block.qkv_bias)
        self.q_norm, self.k_norm = block.head_norm(), block.head_norm()

    def forward(self, x: Tensor, batch: TokenBatch, table: Table) -> Tensor:
        """Shape ``(T, width)`` to ``(T, heads * head)``."""
        block = self.block
        q, k, v = split(self.qkv(x), block.heads, block.kv_heads)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k = rotate(q, table), rotate(k, table)
        return attend(q, k, v, batch, span=self.span, scale=block.scale, softcap=block.softcap)


class PreNormLayer(nn.Module):
    """Attention, then a feed-forward block: each reads the normalised sum of all before it.

    Args:
        block: Sizes and options.
        span: Which tokens a token sees.

    Attributes:
        attention_norm: Before attention; ``None`` where that reads rows as they are.
    """

    attention_norm: RmsNorm | LayerNorm | None

    def __init__(self, block: Block, span: Span) -> None:
        super().__init__()
        self.attention_norm = block.norm()
        self.attention = RotaryAttention(block, span)
        self.out = Linear(block.heads * block.head, block.width, bias=block.out_bias)
        self.attention_after = block.norm() if block.sandwich else None
        self.mlp_norm = block.norm()
        self.mlp = GatedMlp(block.width, block.inner, block.activation, bias=block.mlp_bias)
        self.mlp_after = block.norm() if block.sandwich else None

    def forward(self, x: Tensor, batch: TokenBatch, table: Table) -> Tensor:
        """Token vectors in and out, shape ``(T, width)``."""
        normed = x if self.attention_norm is None else self.attention_norm(x)
        mixed = self.attention(normed, batch, table)
        x = _added(x, self.out, mixed, self.attention_after)
        return _added(x, self.mlp, self.mlp_norm(x), self.mlp_after)

    def parts(self) -> Parts:
        """What the layer consists of."""
        attention, mlp = self.attention, self.mlp
        return Parts(
            attention_norm=self.attention_norm,
            qkv=attention.qkv,
            q_norm=attention.q_norm,
            k_norm=attention.k_norm,
            span=attention.span,
            out=self.out,
            attention_after=self.attention_after,
            mlp_norm=self.mlp_norm,
            up=mlp.gate_up,
            down=mlp.down,
            mlp_after=self.mlp_after,
            shared=attention.block.shared,
        )


def _added(x: Tensor, part: Linear | GatedMlp, y: Tensor, norm: nn.Module | None) -> Tensor:
    """``x`` plus what a part makes of ``y``, normalised if there is a norm."""
    if norm is None:
        return part.add(y, x)
    result: Tensor = norm(part(y))
    return result.add_(x)
