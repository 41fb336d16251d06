from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stelae.cluster.canary import canary_call, judge
from stelae.errors import EngineFailed, OutOfMemory
from stelae.types import EncodeResult


def result(dense: Any, **more: Any) -> EncodeResult:
    return EncodeResult(
        model="m",
        fingerprint="f",
        tokens=np.ones(1, np.int32),
        truncated=np.zeros(1, np.bool_),
        dense=dense,
        **more,
    )


def test_it_is_one_short_text_of_the_model() -> None:
    call = canary_call("some-model")
    assert call.model == "some-model"
    assert [type(item.text) for item in call.items] == [str]


def test_a_finite_vector_is_fine() -> None:
    assert judge(result(np.ones((1, 3), np.float32))) is None


@pytest.mark.parametrize(
    "answer",
    [
        None,
        result(None),
        result(np.array([[1.0, np.nan]], np.float32)),
        result(np.array([[1.0, np.inf]], np.float32)),
    ],
    ids=["nothing", "no-vector", "nan", "inf"],
)
def test_anything_else_is_not(answer: Any) -> None:
    assert isinstance(judge(answer), EngineFailed)


def test_an_error_of_the_item_is_told() -> None:
    error = OutOfMemory("no memory left")
    wrong = judge(result(np.full((1, 3), np.nan, np.float32), errors={0: error.info}))
    assert isinstance(wrong, OutOfMemory)
