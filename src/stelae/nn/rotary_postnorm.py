"""BERT's post-norm blocks with rotary positions: what all families of them share.

A family states its names of tensors, its base and scaling of angles, and what differs in
its blocks.

Source: Devlin et al. 2018 (arXiv:1810.04805), Su et al. 2021 (arXiv:2104.09864).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast

from torch import Tensor

from stelae.nn.backbone import require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Positive
from stelae.nn.kernels.postnorm import Blocks
from stelae.nn.layers.attention import attend, split
from stelae.nn.layers.postnorm import PostNormLayer
from stelae.nn.layers.rotary import Rotary, Table, rope_options, rotate
from stelae.nn.layers.whole import WholeStack
from stelae.nn.postnorm import EMBEDDINGS, PostNormConfig, PostNormEncoder


class RotaryConfig(PostNormConfig, kw_only=True):
    """Positions are angles."""

    position_embedding_type: str = "rope"
    rope_theta: Positive = 10000.0
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None

    @property
    def head(self) -> int:
        """Numbers per head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def turned(self) -> int:
        """Numbers of each head that are turned."""
        return self.head

    @property
    def interleaved(self) -> bool:
        """Whether neighbouring numbers are turned together."""
        return False

    def scaling(self) -> Mapping[str, Any] | None:
        """How angles are slowed, if the older place for it says so."""
        return self.rope_scaling

    def rotary(self) -> Rotary:
        """Angles of all layers."""
        turned = self.turned
        require(turned > 0 and turned % 2 == 0, "numbers turned per head", turned, "even numbers")
        options = rope_options(self.rope_parameters, self.scaling(), self.rope_theta)
        return Rotary(
            turned,
            options["rope_theta"],
            options,
            positions=self.max_position_embeddings,
            interleaved=self.interleaved,
        )


class RotaryLayer(PostNormLayer):
    """A post-norm block whose queries and keys are turned."""

    def turn(self, x: Tensor, batch: TokenBatch, table: Table) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``."""
        q, k, v = split(self.qkv(x), self.heads)
        return self.after(attend(rotate(q, table), rotate(k, table), v, batch), x)


class RotaryEncoder(PostNormEncoder):
    """Embeddings of word and segment, then post-norm blocks that see positions as angles.

    Attributes:
        gated: Whether the feed-forward blocks have a gate.
    """

    position_kind: ClassVar[str] = "rope"
    gated: ClassVar[bool] = False
    config: RotaryConfig

    def __init__(self, config: RotaryConfig) -> None:
        super().__init__(config)
        del self.positions
        self.rotary = config.rotary()

    def block(self) -> RotaryLayer:
        """One block."""
        config = self.config
        return RotaryLayer(
            self.width,
            config.num_attention_heads,
            config.intermediate_size,
            config.activation,
            config.layer_norm_eps,
            gated=self.gated,
        )

    def embed(self, batch: TokenBatch) -> Tensor:
        """Normalised sum of the embeddings, shape ``(T, H)``."""
        normed: Tensor = self.norm(self.typed(self.words(batch.ids), batch))
        return normed

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each block, each ``(T, H)``."""
        x, table = self.embed(batch), self.rotary.table(batch)
        yield x
        for block in cast("Iterable[RotaryLayer]", self.layers):
            x = block.turn(x, batch, table)
            yield x

    def united(self) -> WholeStack[Blocks] | None:
        """All blocks as one, where the halves of a head are turned against each other."""
        rotary = self.rotary
        if rotary.interleaved or rotary.width != self.config.head:
            return None
        return super().united()

    def through(self, blocks: Blocks, batch: TokenBatch) -> Tensor:
        """Token vectors of the last layer, by blocks as one; shape ``(T, H)``."""
        return blocks.run(self.embed(batch), batch, angles=self.rotary.angles(batch))


NAMES = {
    r"^emb_ln\.": "norm.",
    **EMBEDDINGS,
    r"^encoder\.layers": "layers",
    r"((attn|mixer)\.out_proj|self_attn\.o_proj)\.": "out.",
    r"(attn|mixer)\.Wqkv\.": "qkv.",
    r"(norm1|post_attention_layernorm)\.": "out_norm.",
    r"(norm2|post_mlp_layernorm)\.": "down_norm.",
    r"mlp\.fc1\.": "up.",
    r"mlp\.(fc2|down_proj)\.": "down.",
}
"""Names of tensors in transformers, and those of the checkpoints that came before."""

QKV = {"qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")}
"""Products that are fused."""
