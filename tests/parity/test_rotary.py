"""Rotary angles against the reference library far beyond the texts of training, and their laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from stelae.nn.batch import pack
from stelae.nn.layers.rotary import Rotary, rotate

WIDTH, POSITIONS = 32, 4096
TABLES = [round(1 + 0.1 * i, 3) for i in range(WIDTH // 2)]
KINDS: list[dict[str, Any]] = [
    {"rope_type": "default"},
    {"rope_type": "linear", "factor": 3.0},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024},
    {"rope_type": "yarn", "factor": 4.0, "truncate": False},
    {
        "rope_type": "longrope",
        "short_factor": TABLES,
        "long_factor": TABLES[::-1],
        "original_max_position_embeddings": 1024,
    },
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 2048,
    },
]


def text(length: int) -> Any:
    return np.ones(length, np.int32)


def random(heads: int, length: int, width: int) -> Tensor:
    return torch.randn(length, heads, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("length", [1, 1024, 1025, 4096, 4097, 9000])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind["rope_type"]))
def test_angles_equal_the_reference(kind: dict[str, Any], length: int) -> None:
    options = {"rope_theta": 20000.0, **kind}
    config = LlamaConfig(
        hidden_size=2 * WIDTH,
        num_attention_heads=2,
        max_position_embeddings=POSITIONS,
        rope_parameters=dict(options),
    )
    theirs = LlamaRotaryEmbedding(config)
    cos, sin = theirs(torch.zeros(1), torch.arange(length)[None])
    table = Rotary(WIDTH, 20000.0, options, positions=POSITIONS).table(pack([text(length)]))
    signs = torch.tensor([-1.0] * (WIDTH // 2) + [1.0] * (WIDTH // 2))
    torch.testing.assert_close(table.cos[:, 0], cos[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(table.sin[:, 0], signs * sin[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("interleaved", [False, True])
def test_products_depend_on_the_distance_alone(interleaved: bool) -> None:
    q, k = random(2, 1, 16).expand(50, 2, 16), random(3, 1, 16)[:, :2].expand(50, 2, 16)
    table = Rotary(16, positions=64, interleaved=interleaved).table(pack([text(50)]))
    products = torch.einsum("thd,shd->hts", rotate(q, table), rotate(k, table))
    for distance in (0, 3, 49):
        diagonal = products.diagonal(distance, dim1=1, dim2=2)
        torch.testing.assert_close(diagonal, diagonal[:, :1].expand_as(diagonal), atol=1e-4, rtol=0)


def test_turning_keeps_lengths_and_what_lies_beyond_the_width() -> None:
    x = random(3, 20, 24)
    turned = rotate(x, Rotary(16, positions=64).table(pack([text(20)])))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned[..., 16:], x[..., 16:])
    assert torch.equal(turned[0], x[0])


def test_neighbours_are_halves_in_another_order() -> None:
    x = random(2, 30, 16)
    batch = pack([text(30)])
    halves = rotate(x, Rotary(16, positions=64).table(batch))
    mixed = x.unflatten(-1, (2, 8)).transpose(-1, -2).flatten(-2)
    neighbours = rotate(mixed, Rotary(16, positions=64, interleaved=True).table(batch))
    assert torch.equal(neighbours.unflatten(-1, (8, 2)).transpose(-1, -2).flatten(-2), halves)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind["rope_type"]))
def test_angles_of_a_text_are_its_own_whatever_lies_beside_it(kind: dict[str, Any]) -> None:
    rotary = Rotary(WIDTH, 20000.0, kind, positions=100)
    lengths = [30, 101, 7, 300, 101, 100]
    batch = pack([text(length) for length in lengths])
    together = rotary.table(batch)
    for start, length in zip(batch.starts.tolist(), batch.lengths.tolist(), strict=True):
        alone = rotary.table(pack([text(length)]))
        assert torch.equal(together.cos[start : start + length], alone.cos)
        assert torch.equal(together.sin[start : start + length], alone.sin)
