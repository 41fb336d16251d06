"""Decoders in small: ``config.json`` and weights, with the names real checkpoints use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tiny.numbers import Numbers, Tensor, merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """How large a decoder is, and which tensors its family has.

    Attributes:
        head: Numbers per head.
        qkv_bias: Whether queries, keys and values have biases.
        qk_norm: Whether queries and keys have norms.
        four_norms: Whether results are normalised too; such weights are stored less one.
    """

    width: int = 64
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head: int = 16
    inner: int = 96
    positions: int = 512
    qkv_bias: bool = False
    qk_norm: bool = False
    four_norms: bool = False


def decoder_config(
    size: Decoder, vocabulary: int, architecture: str, **options: Any
) -> dict[str, Any]:
    """Content of ``config.json``.

    Args:
        size: How large it is.
        vocabulary: Rows of the embeddings.
        architecture: Class name.
        options: What the family adds or sets otherwise.
    """
    shared: dict[str, Any] = {
        "architectures": [architecture],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "head_dim": size.head,
        "hidden_act": "silu",
        "hidden_size": size.width,
        "initializer_range": 0.02,
        "intermediate_size": size.inner,
        "max_position_embeddings": size.positions,
        "num_attention_heads": size.heads,
        "num_hidden_layers": size.layers,
        "num_key_value_heads": size.kv_heads,
        "rms_norm_eps": 1e-6,
        "use_cache": True,
        "vocab_size": vocabulary,
    }
    return {key: value for key, value in (shared | options).items() if value is not ...}


def decoder_weights(
    seed: str, size: Decoder, vocabulary: int, *, prefix: str = ""
) -> dict[str, Tensor]:
    """Tensors of the trunk, the embeddings included; ``model.`` goes before them in heads."""
    numbers = Numbers(seed)
    middle = 0.0 if size.four_norms else 1.0
    words = numbers.uniform("words", vocabulary, size.width)
    tensors = merged([
        {"embed_tokens.weight": words, "norm.weight": _norm(numbers, "norm", size.width, middle)},
        *(_layer(numbers, f"layers.{i}", size, middle) for i in range(size.layers)),
    ])  # fmt: skip
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _layer(numbers: Numbers, name: str, size: Decoder, middle: float) -> dict[str, Tensor]:
    width, attention = size.width, f"{name}.self_attn"
    outputs = {"q": size.heads, "k": size.kv_heads, "v": size.kv_heads}
    return merged([
        *(_projection(numbers, f"{attention}.{part}_proj", size, n) for part, n in outputs.items()),
        numbers.linear(f"{attention}.o_proj", width, size.heads * size.head, bias=False),
        *(
            {f"{attention}.{part}_norm.weight": _norm(numbers, f"{name}.{part}", size.head, middle)}
            for part in ("qk" if size.qk_norm else "")
        ),
        numbers.linear(f"{name}.mlp.gate_proj", size.inner, width, bias=False),
        numbers.linear(f"{name}.mlp.up_proj", size.inner, width, bias=False),
        numbers.linear(f"{name}.mlp.down_proj", width, size.inner, bias=False),
        *(
            {f"{name}.{part}_layernorm.weight": _norm(numbers, f"{name}.{part}", width, middle)}
            for part in ("input", "post_attention")
        ),
        *(
            {f"{name}.{part}_layernorm.weight": _norm(numbers, f"{name}.{part}", width, middle)}
            for part in (("pre_feedforward", "post_feedforward") if size.four_norms else ())
        ),
    ])  # fmt: skip


def _projection(numbers: Numbers, name: str, size: Decoder, heads: int) -> dict[str, Tensor]:
    """Small enough that no score of attention drowns all others."""
    tensors = numbers.linear(name, size.head * heads, size.width, bias=size.qkv_bias)
    return {key: tensor * np.float32(0.5) for key, tensor in tensors.items()}


def _norm(numbers: Numbers, name: str, width: int, middle: float) -> Tensor:
    return numbers.uniform(f"{name}.norm", width, middle=middle, spread=0.2)
