"""Buckets of distances against the two families that have them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder
from transformers.models.t5.modeling_t5 import T5Attention

from stelae.nn.batch import pack
from stelae.nn.layers.attention import square
from stelae.nn.layers.buckets import RelativeBias, buckets_of


def distances(length: int) -> torch.Tensor:
    places = torch.arange(length)
    return places[None] - places[:, None]


@pytest.mark.parametrize("length", [1, 2, 40, 600])
@pytest.mark.parametrize("buckets", [4, 31, 32, 64])
@pytest.mark.parametrize("max_distance", [20, 128, 256])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_equal_those_of_t5(
    length: int, buckets: int, max_distance: int, bidirectional: bool
) -> None:
    expected = T5Attention._relative_position_bucket(
        distances(length), bidirectional, buckets, max_distance
    )
    found = square(buckets_of(length, buckets, max_distance, bidirectional))
    assert torch.equal(found, expected)


def test_buckets_equal_those_of_mpnet() -> None:
    expected = MPNetEncoder.relative_position_bucket(distances(500))
    assert torch.equal(square(buckets_of(500, 32, 128)), expected)


@pytest.mark.parametrize("length", [1, 5, 9])
def test_each_text_of_a_batch_gets_the_numbers_of_its_own_distances(length: int) -> None:
    table = RelativeBias(8, 3, 6)
    torch.manual_seed(2)
    torch.nn.init.normal_(table.weight)
    bias = table(pack([np.ones(n, np.int32) for n in (5, 1, 9)]))
    rows = torch.zeros(2, 3, length, 4)
    expected = table.weight[square(buckets_of(length, 8, 6))].permute(2, 0, 1)
    assert torch.equal(bias(rows, rows)[0], expected)
