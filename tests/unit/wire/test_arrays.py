from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import numpy as np
import pytest

from stelae.errors import InvalidInput
from stelae.types import (
    EncodeCall,
    EncodeResult,
    Item,
    Quantization,
    Ragged,
    ScoreResult,
    Sparse,
)
from stelae.wire.arrays import from_json, join, pack, split, to_json, unpack

TOKENS = np.array([3, 0], np.int32)
TRUNCATED = np.array([True, False])


def encoded() -> EncodeResult:
    """A result of two items, the second of which failed: no terms, no token vectors."""
    rows = np.array([[1, -128], [3, 127], [0, 5]], np.int8)
    scale = Quantization(scale=np.array([0.5, 1, 2], np.float32), zero=np.zeros(3, np.float32))
    return EncodeResult(
        model="m",
        fingerprint="f",
        dense=np.array([[1.5, -2.0], [0, 0]], np.float16),
        sparse=Sparse(
            indices=np.array([7, 30_000], np.int32),
            values=np.array([0.25, 1.5], np.float32),
            offsets=np.array([0, 2, 2]),
        ),
        multivector=Ragged(values=rows, offsets=np.array([0, 3, 3]), quantization=scale),
        tokens=TOKENS,
        truncated=TRUNCATED,
    )


def scored() -> ScoreResult:
    return ScoreResult(
        model="m",
        fingerprint="f",
        scores=np.array([[0.25, np.nan], [1, 2]], np.float32),
        labels=("no", "yes"),
        tokens=TOKENS,
        truncated=TRUNCATED,
    )


def arrays_of(value: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, msgspec.Struct):
        inner = (getattr(value, name) for name in value.__struct_fields__)
        return [array for part in inner for array in arrays_of(part)]
    return []


@pytest.mark.parametrize("sent", [encoded(), scored()], ids=["encode", "score"])
@pytest.mark.parametrize(
    "carried",
    [
        lambda value: unpack(pack(value), type(value)),
        lambda value: join(*split(value), type(value)),
    ],
    ids=["msgpack", "frames"],
)
def test_nested_arrays_arrive_bit_for_bit(sent: Any, carried: Any) -> None:
    got = carried(sent)
    assert len(arrays_of(sent)) == len(arrays_of(got)) > 2
    for there, here in zip(arrays_of(sent), arrays_of(got), strict=True):
        assert (here.dtype, here.shape) == (there.dtype, there.shape)
        np.testing.assert_array_equal(here, there)


def test_frames_keep_every_array_out_of_the_message() -> None:
    _, buffers = split(encoded())
    assert len(buffers) == len(arrays_of(encoded()))


def test_json_of_terms_and_token_vectors_is_lists_under_their_names() -> None:
    plain = json.loads(to_json(encoded()))
    assert plain["sparse"] == {"indices": [7, 30_000], "values": [0.25, 1.5], "offsets": [0, 2, 2]}
    assert plain["multivector"]["values"] == [[1, -128], [3, 127], [0, 5]]
    assert plain["multivector"]["offsets"] == [0, 3, 3]
    assert plain["multivector"]["quantization"] == {"scale": [0.5, 1, 2], "zero": [0, 0, 0]}
    assert "quantization" not in plain
    back = from_json(to_json(encoded()), EncodeResult)
    assert back.multivector is not None
    assert [len(rows) for rows in back.multivector] == [3, 0]


def test_score_that_is_not_a_number_is_null_in_json() -> None:
    assert json.loads(to_json(scored()))["scores"] == [[0.25, None], [1, 2]]


def test_columns_of_nothing_survive() -> None:
    nothing = Sparse(
        indices=np.empty(0, np.int32), values=np.empty(0, np.float32), offsets=np.zeros(2, np.int64)
    )
    for carried in (unpack(pack(nothing), Sparse), join(*split(nothing), Sparse)):
        assert carried.indices.dtype == np.int32
        assert [len(item.values) for item in carried] == [0]


def test_picture_file_is_base64_in_json_and_bytes_in_msgpack() -> None:
    call = EncodeCall(model="m", items=[Item(image=b"\x89PNG\0\xff")])
    written = json.loads(to_json(call))["items"][0]["image"]
    assert base64.b64decode(written) == b"\x89PNG\0\xff"
    assert from_json(to_json(call), EncodeCall) == call
    assert unpack(pack(call), EncodeCall) == call
    assert join(*split(call), EncodeCall) == call


def test_pixels_travel_in_any_layout() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::-1].transpose(1, 0, 2)
    call = EncodeCall(model="m", items=[Item(pixels=pixels)])
    for got in (unpack(pack(call), EncodeCall), join(*split(call), EncodeCall)):
        np.testing.assert_array_equal(got.items[0].pixels, pixels)
        assert got.items[0].pixels is not None
        assert got.items[0].pixels.dtype == np.uint8
    np.testing.assert_array_equal(from_json(to_json(call), EncodeCall).items[0].pixels, pixels)


@pytest.mark.parametrize(
    "written",
    [
        "[[1], [1, 2]]",
        '["a"]',
        "[null]",
        "[{}]",
        "[99999999999999999999999]",
        "[" * 100 + "]" * 100,
        "3",
        '"abc"',
        '{"shape": [1]}',
        '{"dtype": [], "shape": [1], "data": "AAAA"}',
        '{"dtype": "|O", "shape": [], "data": ""}',
        '{"dtype": "<f4", "shape": [1], "data": "!"}',
        '{"dtype": "<f4", "shape": [1], "data": "AAAA"}',
        '{"dtype": "<f4", "shape": [-1, 1], "data": ""}',
        '{"dtype": "<f4", "shape": [99999999999999999999], "data": ""}',
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_array_is_refused_by_the_name_of_its_field(written: str) -> None:
    body = b'{"model": "m", "items": [{"text": "a"}, {"pixels": ' + written.encode() + b"}]}"
    with pytest.raises(InvalidInput, match=r"items\[1\]\.pixels"):
        from_json(body, EncodeCall)


@pytest.mark.parametrize(
    "array", [np.array([object()]), np.array(["a"]), np.array([1j]), np.array(["2026"], "M8[Y]")]
)
def test_arrays_of_other_things_than_numbers_are_not_sent(array: Any) -> None:
    for send in (pack, split):
        with pytest.raises(InvalidInput, match="plain numbers"):
            send(Item(pixels=array))
