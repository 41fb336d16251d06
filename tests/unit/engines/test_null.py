from __future__ import annotations

import numpy as np
import pytest

from stelae.engines.fake.null import NullEngine
from stelae.errors import InvalidInput
from stelae.scheduler.runner import Runner
from stelae.types import EmbeddingDtype, EncodeCall, Item, OutputType


def test_the_null_engine_gives_each_item_the_same_vector_whatever_it_holds() -> None:
    runner = Runner(NullEngine(4))
    items = [Item(text="a b c"), Item(image=b"no picture"), *[Item(text="x")] * 100]
    result = runner.submit(EncodeCall(model="m", items=items)).result(10)
    runner.close()
    np.testing.assert_array_equal(result.dense, np.ones((102, 4), np.float32))
    assert result.usage.tokens == 102
    assert not result.errors


def test_the_null_engine_writes_other_formats_of_numbers() -> None:
    runner = Runner(NullEngine(8))
    call = EncodeCall(model="m", items=[Item(text="a")], dtype=EmbeddingDtype.UBINARY)
    result = runner.submit(call).result(10)
    runner.close()
    np.testing.assert_array_equal(result.dense, [[255]])


def test_the_null_engine_makes_dense_vectors_only() -> None:
    with pytest.raises(InvalidInput, match="dense vectors only"):
        NullEngine(4).open(
            EncodeCall(model="m", items=[Item(text="a")], outputs=(OutputType.SPARSE,))
        )
