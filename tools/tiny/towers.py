"""Towers for texts and pictures in small, with the names real checkpoints use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tiny.numbers import Numbers, Tensor, merged


@dataclass(frozen=True, slots=True)
class Tower:
    """How large a tower is; lengths of texts, or pictures of ``image`` pixels."""

    width: int = 48
    layers: int = 2
    heads: int = 4
    inner: int = 96
    positions: int = 32
    image: int = 32
    patch: int = 8

    @property
    def patches(self) -> int:
        """Patches of a picture."""
        return (self.image // self.patch) ** 2

    def config(self, **options: Any) -> dict[str, Any]:
        """What both kinds of tower state."""
        return {
            "attention_dropout": 0.0,
            "hidden_size": self.width,
            "intermediate_size": self.inner,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
        } | options


TEXT = Tower()
PICTURE = Tower(width=56, heads=4, inner=80)


def text_config(vocabulary: int, **options: Any) -> dict[str, Any]:
    """The tower for texts in ``config.json``."""
    return TEXT.config(max_position_embeddings=TEXT.positions, vocab_size=vocabulary, **options)


def picture_config(**options: Any) -> dict[str, Any]:
    """The tower for pictures in ``config.json``."""
    shape = {"image_size": PICTURE.image, "num_channels": 3, "patch_size": PICTURE.patch}
    return PICTURE.config(**shape | options)


def layers(numbers: Numbers, tower: Tower, name: str = "encoder.layers") -> dict[str, Tensor]:
    """Tensors of all layers."""
    return merged([_layer(numbers, f"{name}.{i}", tower) for i in range(tower.layers)])


def _layer(numbers: Numbers, name: str, tower: Tower) -> dict[str, Tensor]:
    width, inner = tower.width, tower.inner
    parts = [f"{name}.self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj", "out_proj")]
    return merged([
        *(numbers.linear(part, width, width) for part in parts),
        numbers.norm(f"{name}.layer_norm1", width),
        numbers.norm(f"{name}.layer_norm2", width),
        numbers.linear(f"{name}.mlp.fc1", inner, width),
        numbers.linear(f"{name}.mlp.fc2", width, inner),
    ])  # fmt: skip


def texts(seed: str, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of the tower for texts, without a prefix and without a head."""
    numbers = Numbers(f"{seed}/text")
    return merged([
        {
            f"embeddings.{kind}_embedding.weight": numbers.uniform(kind, rows, TEXT.width)
            for kind, rows in (("token", vocabulary), ("position", TEXT.positions))
        },
        layers(numbers, TEXT),
        numbers.norm("final_layer_norm", TEXT.width),
    ])  # fmt: skip


def pictures(seed: str, *, own: int, bias: bool, flat: bool = False) -> dict[str, Tensor]:
    """Tensors of the tower for pictures, without a prefix and without a head.

    Args:
        seed: Any text.
        own: Tokens before the patches: 1 or 0.
        bias: Whether patches get a bias.
        flat: Whether patches are read by a linear layer instead of a convolution.
    """
    numbers, side, width = Numbers(f"{seed}/vision"), PICTURE.patch, PICTURE.width
    shape = (width, 3 * side * side) if flat else (width, 3, side, side)
    tensors = {
        "embeddings.patch_embedding.weight": numbers.uniform("patch", *shape),
        "embeddings.position_embedding.weight": numbers.uniform(
            "positions", PICTURE.patches + own, width
        ),
    }
    if own:
        tensors["embeddings.class_embedding"] = numbers.uniform("class", width)
    if bias:
        tensors["embeddings.patch_embedding.bias"] = numbers.uniform("bias", width)
    return tensors | layers(numbers, PICTURE) | numbers.norm("post_layernorm", width)


def attention_pool(seed: str) -> dict[str, Tensor]:
    """Tensors of SigLIP's pooling of pictures."""
    numbers, width = Numbers(f"{seed}/head"), PICTURE.width
    return merged([
        {
            "head.probe": numbers.uniform("probe", 1, 1, width),
            "head.attention.in_proj_weight": numbers.uniform("in", 3 * width, width),
            "head.attention.in_proj_bias": numbers.uniform("bias", 3 * width),
        },
        numbers.linear("head.attention.out_proj", width, width),
        numbers.norm("head.layernorm", width),
        numbers.linear("head.mlp.fc1", PICTURE.inner, width),
        numbers.linear("head.mlp.fc2", width, PICTURE.inner),
    ])  # fmt: skip


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same, with a prefix on every name."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def number(value: float, *shape: int) -> Tensor:
    """A tensor that holds one number."""
    return np.full(shape, value, np.float32)


OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "encoder.layers.": "transformer.resblocks.",
    "self_attn.out_proj.": "attn.out_proj.",
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "final_layer_norm.": "ln_final.",
    "pre_layrnorm.": "ln_pre.",
    "post_layernorm.": "ln_post.",
}
"""Parts of tensor names in transformers, and the same in open_clip."""


def as_open_clip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A tower as open_clip saves it: other names; queries, keys and values in one tensor."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = name
        for theirs, open_clip in OPEN_CLIP.items():
            new = new.replace(theirs, open_clip)
        if ".q_proj." in name:
            parts = [tensors[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            found[new.replace("self_attn.q_proj.", "attn.in_proj_")] = np.concatenate(parts)
        elif ".k_proj." not in name and ".v_proj." not in name:
            found[new] = tensor
    return found
