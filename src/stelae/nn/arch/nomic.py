"""NomicBERT: BERT's post-norm blocks with rotary positions and a gate.

Checkpoints were published with names of their own; transformers has others since it
knows the family. Both are read.

Source: Nussbaum et al. 2024 (arXiv:2402.01613).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import msgspec
from torch import Tensor, nn

from stelae.nn.backbone import Backbone, activation_of, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import attend, split
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.layers.mlp import GatedMlp
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.rotary import Rotary, Table, rope_options, rotate
from stelae.nn.weights import WeightMap

Count = Annotated[int, msgspec.Meta(ge=1)]

OLD_NAMES = {
    "n_embd": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "max_trained_positions": "max_position_embeddings",
    "layer_norm_epsilon": "layer_norm_eps",
    "activation_function": "hidden_act",
    "rotary_emb_base": "rope_theta",
}
"""Options as published, and what they are called now."""

GATES: dict[str, Activation] = {"swiglu": "silu", "geglu": "gelu"}


class NomicConfig(msgspec.Struct, kw_only=True):
    """The part of ``config.json`` that decides the numbers."""

    vocab_size: Count
    hidden_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    intermediate_size: Count
    max_position_embeddings: Count = 2048
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_act: str = "silu"
    head_dim: Count | None = None
    rope_theta: float = 1000.0
    rope_parameters: dict[str, Any] | None = None
    rotary_scaling_factor: float | None = None
    rotary_emb_fraction: float = 1.0
    rotary_emb_interleaved: bool = False
    rotary_emb_scale_base: float | None = None
    qkv_proj_bias: bool = False
    mlp_fc1_bias: bool = False
    mlp_fc2_bias: bool = False
    prenorm: bool = False
    parallel_block: bool = False
    use_rms_norm: bool = False
    causal: bool = False
    num_experts: int | None = None

    @property
    def activation(self) -> Activation:
        """Of the gate."""
        return GATES.get(self.hidden_act) or activation_of(self.hidden_act)

    @property
    def head(self) -> int:
        """Numbers per head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    def rotary(self) -> Rotary:
        """Angles of all layers."""
        factor = self.rotary_scaling_factor
        stretched = {"rope_type": "dynamic", "factor": factor} if factor else None
        options = rope_options(self.rope_parameters, stretched, self.rope_theta)
        width = int(self.head * self.rotary_emb_fraction)
        return Rotary(
            width,
            options["rope_theta"],
            options,
            positions=self.max_position_embeddings,
            interleaved=self.rotary_emb_interleaved,
        )


class NomicLayer(nn.Module):
    """Attention, then a gated block, each added to its input and normalised."""

    def __init__(self, config: NomicConfig) -> None:
        super().__init__()
        width, bias = config.hidden_size, config.qkv_proj_bias
        self.heads = config.num_attention_heads
        inner = self.heads * config.head
        self.qkv = Linear(width, 3 * inner, bias=bias)
        self.out = Linear(inner, width, bias=bias)
        self.out_norm = LayerNorm(width, config.layer_norm_eps)
        bias = config.mlp_fc1_bias
        self.mlp = GatedMlp(width, config.intermediate_size, config.activation, bias=bias)
        self.mlp_norm = LayerNorm(width, config.layer_norm_eps)

    def forward(self, x: Tensor, batch: TokenBatch, table: Table) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``."""
        q, k, v = split(self.qkv(x), self.heads)
        mixed = attend(rotate(q, table), rotate(k, table), v, batch)
        x = self.out_norm(self.out.add(mixed, x))
        normed: Tensor = self.mlp_norm(self.mlp.add(x, x))
        return normed


@architecture("NomicBertModel")
class NomicBert(Backbone):
    """Bidirectional encoder without a table of positions."""

    Config: ClassVar = NomicConfig
    weights = WeightMap(
        prefixes=("bert.", "nomic_bert."),
        rename={
            r"^embeddings\.word_embeddings": "words",
            r"^embeddings\.token_type_embeddings": "types",
            r"^(emb_ln|embeddings\.LayerNorm)\.": "norm.",
            r"^encoder\.layers": "layers",
            r"(attn\.out_proj|self_attn\.o_proj)\.": "out.",
            r"attn\.Wqkv\.": "qkv.",
            r"(norm1|post_attention_layernorm)\.": "out_norm.",
            r"(norm2|post_mlp_layernorm)\.": "mlp_norm.",
            r"mlp\.(fc11|up_proj)\.": "mlp.up.",
            r"mlp\.(fc12|gate_proj)\.": "mlp.gate.",
            r"mlp\.(fc2|down_proj)\.": "mlp.down.",
        },
        fuse={
            "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "mlp.gate_up": ("mlp.gate", "mlp.up"),
        },
        ignore=(r"pooler\..*", r"cls\..*", r".*inv_freq", r"embeddings\.position_ids"),
    )

    @classmethod
    def options(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Options under their newer names, which count where both are there."""
        renamed = {OLD_NAMES.get(name, name): value for name, value in config.items()}
        return renamed | {name: config[name] for name in config if name in OLD_NAMES.values()}

    def __init__(self, config: NomicConfig) -> None:
        super().__init__(config)
        for option in ("prenorm", "parallel_block", "use_rms_norm", "causal"):
            require(not getattr(config, option), option, getattr(config, option), "false")
        for option in ("num_experts", "rotary_emb_scale_base"):
            require(not getattr(config, option), option, getattr(config, option), "null")
        same = config.mlp_fc1_bias == config.mlp_fc2_bias
        require(same, "mlp_fc2_bias", config.mlp_fc2_bias, "the value of mlp_fc1_bias")
        self.width = config.hidden_size
        self.words = Embedding(config.vocab_size, self.width)
        kinds = config.type_vocab_size
        self.types = Embedding(kinds, self.width) if kinds > 0 else None
        self.norm = LayerNorm(self.width, config.layer_norm_eps)
        self.layers = nn.ModuleList(NomicLayer(config) for _ in range(config.num_hidden_layers))
        self.rotary = config.rotary()

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each layer, each ``(T, H)``."""
        x: Tensor = self.words(batch.ids)
        if self.types is not None:
            x = x + (self.types.weight[0] if batch.types is None else self.types(batch.types))
        x, table = self.norm(x), self.rotary.table(batch)
        yield x
        for layer in self.layers:
            x = layer(x, batch, table)
            yield x
