from __future__ import annotations

import pytest

from stelae.catalog.weighing import Weight
from stelae.service.footprint import WORKER, footprint
from stelae.types import ComputeDtype

MILLION = 10**6


@pytest.mark.parametrize(
    ("bits", "dtype", "weights"),
    [
        (32, ComputeDtype.FLOAT32, 400),
        (32, ComputeDtype.BFLOAT16, 200),
        (16, ComputeDtype.FLOAT32, 800),
        (16, ComputeDtype.FLOAT16, 400),
        (16, ComputeDtype.INT8, 200),
        (None, ComputeDtype.FLOAT32, 400),
    ],
)
def test_weights_take_as_much_as_they_are_computed_with(
    bits: int | None, dtype: ComputeDtype, weights: int
) -> None:
    made = footprint(Weight(bytes=400 * MILLION, bits=bits), dtype)
    assert (made.weights, made.bytes) == (weights * MILLION, weights * MILLION + WORKER)


def test_auto_is_the_smallest_format_that_engines_choose() -> None:
    auto = footprint(Weight(bytes=400, bits=32), ComputeDtype.AUTO)
    assert auto.weights in (200, 400)


def test_weights_on_a_card_take_no_memory_of_the_machine() -> None:
    made = footprint(Weight(bytes=400 * MILLION, bits=16), ComputeDtype.BFLOAT16, on_card=True)
    assert made.bytes == WORKER


def test_the_sum_is_told_in_words() -> None:
    made = footprint(Weight(bytes=2 * 10**9, bits=16), ComputeDtype.BFLOAT16)
    assert str(made) == "2.0 GB of weights and 0.3 GB of its worker"
