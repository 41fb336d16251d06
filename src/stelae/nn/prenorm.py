"""Pre-norm stacks with rotary positions: what decoders and newer encoders share.

Source: Touvron et al. 2023 (arXiv:2302.13971), Su et al. 2021 (arXiv:2104.09864).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from torch import Tensor, nn

from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch
from stelae.nn.kernels import prenorm
from stelae.nn.layers.linear import Packable, prepack
from stelae.nn.layers.norm import LayerNorm, RmsNorm
from stelae.nn.layers.prenorm import Parts, PreNormLayer
from stelae.nn.layers.rotary import Rotary
from stelae.nn.layers.whole import WholeStack, whole_prenorm_stack


class PreNormBackbone(Backbone, Packable):
    """Embeddings, blocks that read positions as angles, and a last norm.

    Attributes:
        layers: The blocks in their order.
        rotaries: Where the angles of each come from.
        whole: All blocks as one, once they are laid out and where a kernel runs them so.
    """

    layers: nn.ModuleList
    rotaries: list[Rotary]

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.whole: WholeStack[prenorm.Blocks] | None = None

    @property
    def last(self) -> RmsNorm | LayerNorm:
        """The norm behind all blocks."""
        raise NotImplementedError

    def embed(self, batch: TokenBatch) -> Tensor:
        """What the first block reads, shape ``(T, H)``."""
        raise NotImplementedError

    def parts(self, layer: nn.Module) -> Parts:
        """What a block consists of."""
        return cast(PreNormLayer, layer).parts()

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Embeddings, then token vectors after each layer, the last normalised."""
        x = self.embed(batch)
        tables = {rotary: rotary.table(batch) for rotary in dict.fromkeys(self.rotaries)}
        for layer, rotary in zip(self.layers, self.rotaries, strict=True):
            yield x
            x = layer(x, batch, tables[rotary])
        yield self.last(x)

    def prepack(self) -> None:
        """Lay the weights of all blocks out, and run them as one where that can be had."""
        if self.whole is None:
            prepack(self.layers)
            self.whole = whole_prenorm_stack(list(self.layers), self.parts, self.last)
            self.free = self.whole is not None

    def forward(self, batch: TokenBatch) -> Tensor:
        """Token vectors of the last layer, normalised, shape ``(T, H)``."""
        whole = self.whole
        if whole is None or whole.adapted:
            return super().forward(batch)
        angles = {rotary: rotary.angles(batch) for rotary in dict.fromkeys(self.rotaries)}
        return whole.blocks.run(self.embed(batch), batch, [angles[one] for one in self.rotaries])
