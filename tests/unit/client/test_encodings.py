from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stelae.client import Encoding, Encodings
from stelae.client._columns import Columns
from stelae.errors import InvalidInput
from stelae.types import Usage

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


def three() -> Encodings:
    return Encodings(
        columns=Columns(dense=ROWS.copy()),
        tokens=np.array([3, 4, 5], np.int32),
        truncated=np.array([False, True, False]),
        model="toy",
        fingerprint="f00d",
        usage=Usage(tokens=12),
        ids=["a", None, "c"],
        metadata=[None, None, {"k": 1}],
        errors={2: InvalidInput("no")},
    )


def test_rows_are_encodings() -> None:
    encodings = three()
    assert len(encodings) == 3
    last = encodings[-1]
    assert isinstance(last, Encoding)
    assert (last.id, last.tokens, last.truncated) == ("c", 5, False)
    assert (last.metadata, last.model, last.fingerprint) == ({"k": 1}, "toy", "f00d")
    assert isinstance(last.error, InvalidInput)
    assert last.dense.tolist() == [4.0, 5.0]


def test_slices_iteration_and_bounds_are_those_of_a_list() -> None:
    encodings = three()
    assert [row.id for row in encodings[::-1]] == ["c", None, "a"]
    assert [row.tokens for row in encodings] == [3, 4, 5]
    with pytest.raises(IndexError):
        encodings[3]


def test_numpy_takes_them_as_arrays() -> None:
    encodings = three()
    assert np.asarray(encodings) is encodings.dense
    assert np.asarray(encodings[1]).tolist() == [2.0, 3.0]
    assert np.asarray(encodings, dtype=np.float64).dtype == np.float64
    copied = np.array(encodings)
    copied[0, 0] = 9
    assert encodings.dense[0, 0] == 0
    assert (encodings @ np.ones(2, np.float32)).tolist() == [1.0, 5.0, 9.0]
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(encodings, dtype=np.float64, copy=False)


def test_repr_is_short_and_says_what_matters() -> None:
    encodings = three()
    assert repr(encodings) == (
        "Encodings(3 x 2 float32, model='toy', 12 tokens, 1 truncated, 1 failed)"
    )
    assert repr(encodings[0]) == "Encoding(id='a', 2 float32, 3 tokens)"
    assert repr(encodings[1]) == "Encoding(2 float32, 4 tokens, truncated)"
    assert repr(encodings[2]) == "Encoding(id='c', error=InvalidInput('no'))"


def test_repr_leaves_out_what_did_not_happen() -> None:
    plain = dataclasses.replace(three(), truncated=np.zeros(3, np.bool_), errors={})
    assert repr(plain) == "Encodings(3 x 2 float32, model='toy', 12 tokens)"
