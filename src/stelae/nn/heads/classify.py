"""One number for each label of a text, or of two texts read together.

Source: Devlin et al. 2018 (arXiv:1810.04805), section 4.1; for ranking: Nogueira and
Cho 2019 (arXiv:1901.04085).
"""

from __future__ import annotations

from torch import Tensor, nn

from stelae.catalog.operations import Pooling
from stelae.nn.batch import TokenBatch
from stelae.nn.heads.pooling import POOLINGS, Pooler
from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.layers.norm import LayerNorm

CLASSIFIER_NAMES = (r"(dense|norm|out)\.(weight|bias)",)
"""Tensors of the head, for ``WeightMap.only``."""


class ClassifierHead(nn.Module):
    """Pooling, then a dense layer with activation and norm if there is one, then the labels.

    Args:
        width: Width of a token vector, ``H``.
        labels: Number of labels.
        pool: Which vector speaks for the text, or how it is found.
        hidden: Activation of the dense layer; ``None`` if there is no such layer.
        inner: Width after the dense layer; ``None`` for ``width``.
        norm_eps: Of the norm after it; ``None`` if there is no norm.
        hidden_bias: Whether the dense layer has a bias.
        norm_bias: Whether the norm has one.
        out_bias: Whether the layer of the labels has one.
        late: Whether every token goes through the dense layer, and pooling comes after.
    """

    def __init__(
        self,
        width: int,
        labels: int,
        *,
        pool: Pooling | Pooler = Pooling.CLS,
        hidden: Activation | None,
        inner: int | None = None,
        norm_eps: float | None = None,
        hidden_bias: bool = True,
        norm_bias: bool = True,
        out_bias: bool = True,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.late = late
        self.pool = POOLINGS[pool] if isinstance(pool, Pooling) else pool
        self.dense: nn.Module = nn.Identity()
        self.norm: nn.Module = nn.Identity()
        inner = inner or width
        if hidden is not None:
            self.dense = Linear(width, inner, bias=hidden_bias, activation=hidden)
        if norm_eps is not None:
            self.norm = LayerNorm(inner, norm_eps, bias=norm_bias)
        self.out = Linear(inner, labels, bias=out_bias)

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Token vectors ``(T, H)`` to logits ``(B, labels)``, fp32, in packed order."""
        dtype = self.out.weight.dtype  # fp32 behind a trunk in bf16 keeps scores close
        if self.late:
            x = self.norm(self.dense(x.to(dtype)))
        pooled = self.pool(x, batch).to(dtype)
        logits: Tensor = self.out(pooled if self.late else self.norm(self.dense(pooled)))
        return logits.float()
