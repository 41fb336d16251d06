from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stelae.errors import InvalidInput
from stelae.wire.clip import structs
from stelae.wire.clip.messages import Struct

VALUES: dict[str, Any] = {
    "flag": True,
    "number": 3.0,
    "text": "é",
    "none": None,
    "list": [1.0, [], {}, {"a": [False]}],
    "inner": {"deep": {"er": 1.5}},
    "empty": {},
}


def test_values_come_back_as_they_were() -> None:
    struct = Struct()

    structs.fill(struct, VALUES)

    assert structs.plain(Struct.FromString(struct.SerializeToString())) == VALUES


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    struct = Struct()

    structs.fill(struct, {"one": np.float32(0.5), "many": np.array([1, 2])})

    assert structs.plain(struct) == {"one": 0.5, "many": [1.0, 2.0]}


def test_values_nested_too_deeply_are_refused_both_ways() -> None:
    deep: Any = 1.0
    for _ in range(structs.MAX_DEPTH + 1):
        deep = [deep]

    with pytest.raises(InvalidInput, match="nested"):
        structs.fill(Struct(), {"deep": deep})


def test_values_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(InvalidInput, match="bytes"):
        structs.fill(Struct(), {"raw": b"\0"})
