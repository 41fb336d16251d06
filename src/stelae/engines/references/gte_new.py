"""The "new" encoder of GTE by its formulas, in plain padded torch, as classes of transformers.

The library knows the family only by code that checkpoints bring along, which is never run.
This shares nothing with the packed implementation: texts are padded, every formula is
written out, tensors have the names that checkpoints give them. ``introduce`` tells the
library of it, so that prompts, pooling and heads are again its own reading.

Source: Zhang et al. 2024 (mGTE, arXiv:2407.19669), section 2.1 and appendix A; rotary
positions: Su et al. 2021 (arXiv:2104.09864), equation 34; their scaling:
https://kexue.fm/archives/9706, formulas 6 and 10 to 13. Options, names of tensors and
the order of the gate also agree with the two servers that read the family,
text-embeddings-inference (``gte.rs``) and vLLM (``bert_with_rope.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import (
    BaseModelOutput,
    MaskedLMOutput,
    SequenceClassifierOutput,
)

Options: Any = transformers.PreTrainedConfig
Model: Any = transformers.PreTrainedModel

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "silu": functional.silu,
    "relu": functional.relu,
}


class NewConfig(Options):  # type: ignore[misc]  # the library is read without types
    """Options as attributes; those that a file leaves out have these values."""

    model_type = "new"
    vocab_size: int = 30528
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    pack_qkv: bool = True
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    pad_token_id: int | None = 0
    tie_word_embeddings: bool = True


def rates_of(config: NewConfig) -> Tensor:
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
    """Every token sees every token that is no filling."""

    def __init__(self, config: NewConfig) -> None:
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
    """Two halves of one product, the second of them the gate."""

    def __init__(self, config: NewConfig) -> None:
        super().__init__()
        self.up_gate_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, x: Tensor) -> Tensor:
        up, gate = self.up_gate_proj(x).chunk(2, dim=-1)
        down: Tensor = self.down_proj(up * self.activation(gate))
        return down


class Layer(nn.Module):
    """Attention and product, each added and then normed."""

    def __init__(self, config: NewConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.attention, self.mlp = Attention(config), GatedMlp(config)
        self.attn_ln, self.mlp_ln = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)

    def forward(self, x: Tensor, mask: Tensor, angles: Tensor) -> Tensor:
        x = self.attn_ln(x + self.attention(x, mask, angles))
        normed: Tensor = self.mlp_ln(x + self.mlp(x))
        return normed


class GteConfig(NewConfig):
    """The same under the name that Arctic-Embed 2.0 has for it."""

    model_type = "gte"


class _Model(Model):  # type: ignore[misc]  # likewise
    """What all classes of the family have from the library."""

    config_class = NewConfig
    base_model_prefix = "new"

    def _init_weights(self, module: nn.Module) -> None:
        """Make up what a checkpoint lacks, large enough that it shows."""
        for parameter in module.parameters(recurse=False):
            nn.init.normal_(parameter, std=0.2)


class NewModel(_Model):
    """The transformer alone."""

    def __init__(self, config: NewConfig, *, pools: bool = True) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.embeddings: Any = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(config.vocab_size, width)
        if config.type_vocab_size:
            self.embeddings.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.embeddings.LayerNorm = nn.LayerNorm(width, config.layer_norm_eps)
        self.encoder: Any = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        if pools:
            self.pooler: Any = nn.Module()
            self.pooler.dense = nn.Linear(width, width)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The vectors of words."""
        words: nn.Module = self.embeddings.word_embeddings
        return words

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **ignored: Any,
    ) -> BaseModelOutput:
        """Token vectors of each layer, shape ``(B, L, H)``."""
        del ignored
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        x = self.embeddings.word_embeddings(input_ids)
        if self.config.type_vocab_size:
            types = types if self.config.type_vocab_size > 1 else types * 0
            x = x + self.embeddings.token_type_embeddings(types)
        states = [self.embeddings.LayerNorm(x)]
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        angles = places[:, None] * rates_of(self.config).to(input_ids.device)
        for layer in self.encoder.layer:
            states.append(layer(states[-1], mask.bool(), angles))
        return BaseModelOutput(last_hidden_state=states[-1], hidden_states=tuple(states))


class GteModel(NewModel):
    """The same under the name that Arctic-Embed 2.0 has for it."""

    config_class = GteConfig


class NewForMaskedLM(_Model):
    """The product with the vocabulary is that of the embeddings, unless one is stored."""

    _tied_weights_keys: ClassVar[dict[str, str]] = {
        "lm_head.decoder.weight": "new.embeddings.word_embeddings.weight"
    }

    def __init__(self, config: NewConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.new = NewModel(config, pools=False)
        self.lm_head: Any = nn.Module()
        self.lm_head.dense = nn.Linear(width, width)
        self.lm_head.norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.lm_head.decoder = nn.Linear(width, config.vocab_size)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        """The product with the vocabulary."""
        decoder: nn.Module = self.lm_head.decoder
        return decoder

    def forward(self, **inputs: Any) -> MaskedLMOutput:
        """Logits of each word, shape ``(B, L, V)``."""
        x = self.lm_head.dense(self.new(**inputs).last_hidden_state)
        x = self.lm_head.norm(ACTIVATIONS[self.config.hidden_act](x))
        return MaskedLMOutput(logits=self.lm_head.decoder(x))


class NewForSequenceClassification(_Model):
    """The first token, through the pooler."""

    def __init__(self, config: NewConfig) -> None:
        super().__init__(config)
        self.new = NewModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, **inputs: Any) -> SequenceClassifierOutput:
        """Logits of each class, shape ``(B, labels)``."""
        first = self.new(**inputs).last_hidden_state[:, 0]
        logits = self.classifier(self.new.pooler.dense(first).tanh())
        return SequenceClassifierOutput(logits=logits)


NAME = "formula"

MODEL_TYPES = frozenset({"new", "gte"})


def introduce() -> None:
    """Tell the library of the family, for as long as this process lives."""
    for config, trunk in ((NewConfig, NewModel), (GteConfig, GteModel)):
        transformers.AutoConfig.register(config.model_type, config, exist_ok=True)
        transformers.AutoModel.register(config, trunk, exist_ok=True)
    words, classes = (
        transformers.AutoModelForMaskedLM,
        transformers.AutoModelForSequenceClassification,
    )
    words.register(NewConfig, NewForMaskedLM, exist_ok=True)
    classes.register(NewConfig, NewForSequenceClassification, exist_ok=True)
