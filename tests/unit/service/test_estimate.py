from __future__ import annotations

import pytest

from stelae.catalog.shape import Shape
from stelae.service.estimate import bits_of, estimate, weights_of_size

LLAMA_2_7B = Shape(layers=32, width=4096, inner=11008, kept=2 * 4096)


def test_keys_and_values_take_half_a_mebibyte_a_token_of_llama_2_7b() -> None:
    taken = estimate(0, LLAMA_2_7B, 4096)
    assert taken.cache == 4096 * 512 * 1024
    assert estimate(0, LLAMA_2_7B, 4096, cache_bits=8).cache * 2 == taken.cache
    assert taken.total == taken.weights + taken.cache + taken.work + taken.worker


def test_work_does_not_grow_beyond_one_batch() -> None:
    assert estimate(0, LLAMA_2_7B, 1 << 20).work == estimate(0, LLAMA_2_7B, 4096).work


@pytest.mark.parametrize(
    ("form", "quantization", "bits"),
    [
        ("pytorch", None, 16), ("pytorch", "none", 16), ("fp8", "FP8", 8), ("ggufv2", "F16", 16),
        ("ggufv2", "bf16", 16), ("ggufv2", "fp16", 16), ("ggufv2", "Q8_0", 8.5),
        ("ggufv2", "Q4_K_M", 4.5), ("ggufv2", "q6_k", 6.5625), ("ggufv2", "IQ4_XS", 4.25),
        ("ggufv2", "i1-IQ1_M", 1.75), ("gptq", "Int8", 8.5), ("gptq", None, 4.5),
        ("mlx", "8bit", 8.5),
    ],
)  # fmt: skip
def test_bits_of_a_weight_are_those_of_its_blocks(
    form: str, quantization: str | None, bits: float
) -> None:
    assert bits_of(form, quantization) == bits
    assert weights_of_size(8, form, quantization) == bits * 1e9
