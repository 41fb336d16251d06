"""The "new" encoder of GTE in plain padded torch, written from its published description.

The reference library knows the family only by code that checkpoints bring along, which
is not run here. This shares nothing with the packed implementation: texts are padded,
every formula is written out, tensors have the names that checkpoints give them.

Source: Zhang et al. 2024 (mGTE, arXiv:2407.19669), section 2.1 and appendix A; rotary
positions: Su et al. 2021 (arXiv:2104.09864), equation 34; their scaling:
https://kexue.fm/archives/9706, formulas 6 and 10 to 13. Options, names of tensors and
the order of the gate also agree with the two servers that read the family,
text-embeddings-inference (``gte.rs``) and vLLM (``bert_with_rope.py``).
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_type": "layer_norm",
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pack_qkv": True,
    "position_embedding_type": "rope",
    "rope_theta": 500.0,
    "rope_scaling": None,
    "logn_attention_scale": False,
    "logn_attention_clip1": False,
    "pad_token_id": 0,
    "num_labels": 1,
}
ACTIVATIONS = {"gelu": functional.gelu, "silu": functional.silu, "relu": functional.relu}


class Config(SimpleNamespace):
    """Options as attributes."""

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def gte(**options: Any) -> Config:
    return Config(**TINY | options)


def rates_of(config: Config) -> Tensor:
    """Angle per position of each pair of numbers, one by one."""
    width = config.hidden_size // config.num_attention_heads
    plain = [config.rope_theta ** (-2 * i / width) for i in range(width // 2)]
    scaling = config.rope_scaling
    if scaling is None:
        return torch.tensor(plain)
    factor, curve = scaling["factor"], scaling.get("mixed_b")
    if curve is None:
        longer = config.rope_theta * factor
        return torch.tensor(
            [longer ** (-2 * i / width) / factor ** (2 / width) for i in range(width // 2)]
        )
    growth = math.log(factor) / (width / 2) ** curve
    return torch.tensor(
        [rate / math.exp(growth * (i + 1) ** curve) for i, rate in enumerate(plain)]
    )


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """Pair ``i`` of a head is its number ``i`` and the one half a head further.

    Args:
        x: Shape ``(B, heads, L, d)``.
        angles: Shape ``(L, d / 2)``.
    """
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        if config.pack_qkv:
            self.qkv_proj = nn.Linear(width, 3 * width)
        else:
            self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.o_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor, angles: Tensor) -> Tensor:
        count, length, width = x.shape
        if hasattr(self, "qkv_proj"):
            parts = self.qkv_proj(x).split(width, dim=-1)
        else:
            parts = (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        q, k, v = (part.view(count, length, self.heads, -1).transpose(1, 2) for part in parts)
        scores = turned(q, angles) @ turned(k, angles).transpose(2, 3) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
        mixed = scores.softmax(dim=-1) @ v
        projected: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(count, length, width))
        return projected


class GatedMlp(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up_gate_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, x: Tensor) -> Tensor:
        up, gate = self.up_gate_proj(x).chunk(2, dim=-1)
        down: Tensor = self.down_proj(up * self.activation(gate))
        return down


class Layer(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.attention, self.mlp = Attention(config), GatedMlp(config)
        self.attn_ln, self.mlp_ln = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)

    def forward(self, x: Tensor, mask: Tensor, angles: Tensor) -> Tensor:
        x = self.attn_ln(x + self.attention(x, mask, angles))
        normed: Tensor = self.mlp_ln(x + self.mlp(x))
        return normed


class Trunk(nn.Module):
    """``NewModel``."""

    base_model_prefix = "new"

    def __init__(self, config: Config, *, pools: bool = True) -> None:
        super().__init__()
        width = config.hidden_size
        self.config = config
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(config.vocab_size, width)
        if config.type_vocab_size:
            self.embeddings.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.embeddings.LayerNorm = nn.LayerNorm(width, config.layer_norm_eps)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        if pools:
            self.pooler = nn.Module()
            self.pooler.dense = nn.Linear(width, width)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> SimpleNamespace:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        x = self.embeddings.word_embeddings(input_ids)
        if self.config.type_vocab_size:
            types = types if self.config.type_vocab_size > 1 else types * 0
            x = x + self.embeddings.token_type_embeddings(types)
        states = [self.embeddings.LayerNorm(x)]
        angles = torch.arange(input_ids.shape[1])[:, None] * rates_of(self.config)
        for layer in self.encoder.layer:
            states.append(layer(states[-1], mask.bool(), angles))
        return SimpleNamespace(last_hidden_state=states[-1], hidden_states=states)


class WithHead(nn.Module):
    """A trunk below a head."""

    base_model_prefix = "new"

    def __init__(self, config: Config, *, pools: bool) -> None:
        super().__init__()
        self.config = config
        self.new = Trunk(config, pools=pools)


class MaskedLm(WithHead):
    """``NewForMaskedLM``; the product with the vocabulary is that of the embeddings."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, pools=False)
        width = config.hidden_size
        self.lm_head = nn.Module()
        self.lm_head.dense = nn.Linear(width, width)
        self.lm_head.norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.lm_head.decoder = nn.Linear(width, config.vocab_size)
        self.lm_head.decoder.weight = self.new.embeddings.word_embeddings.weight

    def forward(self, **inputs: Any) -> SimpleNamespace:
        x = self.lm_head.dense(self.new(**inputs).last_hidden_state)
        x = self.lm_head.norm(ACTIVATIONS[self.config.hidden_act](x))
        return SimpleNamespace(logits=self.lm_head.decoder(x))


class Classes(WithHead):
    """``NewForSequenceClassification``: the first token, through the pooler."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, pools=True)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, **inputs: Any) -> SimpleNamespace:
        first = self.new(**inputs).last_hidden_state[:, 0]
        return SimpleNamespace(logits=self.classifier(self.new.pooler.dense(first).tanh()))


REFERENCES = {
    "NewModel": Trunk,
    "GteModel": Trunk,
    "NewForMaskedLM": MaskedLm,
    "NewForSequenceClassification": Classes,
}
"""By class name in ``config.json``."""
