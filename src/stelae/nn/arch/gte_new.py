"""GTE of version 1.5 and mGTE: BERT's post-norm blocks with rotary positions and a gate.

In ``config.json`` the family is called "new"; Arctic-Embed 2.0 has it as "gte".

Source: Zhang et al. 2024 (mGTE, arXiv:2407.19669); the names of options and tensors are
those of its checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from stelae.nn.backbone import architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import attend, split
from stelae.nn.layers.postnorm import PostNormLayer
from stelae.nn.layers.rotary import Rotary, Table, rope_options, rotate
from stelae.nn.postnorm import (
    EMBEDDINGS,
    UNUSED,
    PostNormConfig,
    PostNormEncoder,
    classifier_names,
    masked_lm_names,
)
from stelae.nn.weights import WeightMap


class GteConfig(PostNormConfig, kw_only=True):
    """Positions are angles; scores may not depend on the length of a text."""

    type_vocab_size: int = 1
    position_embedding_type: str = "rope"
    layer_norm_type: str = "layer_norm"
    logn_attention_scale: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None

    def rotary(self) -> Rotary:
        """Angles of all layers."""
        options = rope_options(self.rope_parameters, self.rope_scaling, self.rope_theta)
        width = self.hidden_size // self.num_attention_heads
        base = options["rope_theta"]
        return Rotary(width, base, options, positions=self.max_position_embeddings)


class GteLayer(PostNormLayer):
    """A post-norm block whose queries and keys are turned."""

    def turn(self, x: Tensor, batch: TokenBatch, table: Table) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``."""
        q, k, v = split(self.qkv(x), self.heads)
        return self.after(attend(rotate(q, table), rotate(k, table), v, batch), x)


def gate_first(up_gate: Tensor) -> Tensor:
    """The upper half of a matrix below the lower: here the gate comes first."""
    up, gate = up_gate.chunk(2)
    return torch.cat((gate, up))


@architecture("NewModel", "NewForMaskedLM", "NewForSequenceClassification", "GteModel")
class GteNew(PostNormEncoder):
    """Bidirectional encoder without a table of positions."""

    Config: ClassVar = GteConfig
    position_kind: ClassVar[str] = "rope"
    config: GteConfig
    weights = WeightMap(
        prefixes=("new.",),
        rename={
            **EMBEDDINGS,
            r"^encoder\.layer\.": "layers.",
            r"attention\.qkv_proj\.": "qkv.",
            r"attention\.o_proj\.": "out.",
            r"attn_ln\.": "out_norm.",
            r"mlp\.up_gate_proj\.": "up.",
            r"mlp\.down_proj\.": "down.",
            r"mlp_ln\.": "down_norm.",
        },
        fuse={"qkv": ("attention.q_proj", "attention.k_proj", "attention.v_proj")},
        ignore=(*UNUSED, r"embeddings\.rotary_emb\..*", r"lm_head\..*"),
        change={r"layers\.\d+\.up\.weight": gate_first},
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^lm_head\.dense\.", norm=r"^lm_head\.norm\.", decoder=r"^lm_head\.decoder\."
    )
    classifier_weights = classifier_names(r"^(new\.)?pooler\.dense\.", r"^classifier\.")

    def __init__(self, config: GteConfig) -> None:
        super().__init__(config)
        kind = config.layer_norm_type
        require(kind == "layer_norm", "layer_norm_type", kind, "layer_norm")
        scaled = config.logn_attention_scale
        require(not scaled, "logn_attention_scale", scaled, "false")
        del self.positions
        self.rotary = config.rotary()

    def block(self) -> GteLayer:
        """One block; its gate has no bias."""
        config = self.config
        return GteLayer(
            self.width,
            config.num_attention_heads,
            config.intermediate_size,
            config.activation,
            config.layer_norm_eps,
            gated=True,
        )

    def embed(self, batch: TokenBatch) -> Tensor:
        """Normalised sum of the embeddings, shape ``(T, H)``."""
        normed: Tensor = self.norm(self.typed(self.words(batch.ids), batch))
        return normed

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each block, each ``(T, H)``."""
        x, table = self.embed(batch), self.rotary.table(batch)
        yield x
        for block in cast("Iterable[GteLayer]", self.layers):
            x = block.turn(x, batch, table)
            yield x
