from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from starlette.requests import Request

from stelae.dialects.base import RECORD, Record
from stelae.dialects.native.convert import (
    Media,
    answer_body,
    call_of,
    render_error,
    sent,
    wanted,
)
from stelae.errors import InvalidInput, QueueFull
from stelae.types import EncodeCall, EncodeResult, Item, OutputType, Role, Truncate
from stelae.wire.arrays import pack, unpack

CALL = EncodeCall(
    model="m",
    items=[Item(text="a", id="1"), Item(token_ids=[1, 2], metadata={"k": [1]})],
    role=Role.QUERY,
    dimensions=8,
    truncate=Truncate.START,
)


def request(**headers: str) -> Request:
    raw = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    scope: dict[str, Any] = {"type": "http", "headers": raw, RECORD: Record(id="r")}
    return Request(scope)


@pytest.mark.parametrize(
    ("given", "media"),
    [
        ("application/json", Media.JSON),
        ("application/json; charset=utf-8", Media.JSON),
        ("APPLICATION/JSON", Media.JSON),
        ("application/vnd.x+json", Media.JSON),
        ("application/msgpack", Media.MSGPACK),
        ("application/x-msgpack", Media.MSGPACK),
        ("application/vnd.msgpack", Media.MSGPACK),
    ],
)
def test_form_of_the_body_is_read_from_its_content_type(given: str, media: Media) -> None:
    assert sent(request(content_type=given)) is media


def test_body_without_content_type_is_json() -> None:
    assert sent(request()) is Media.JSON


@pytest.mark.parametrize("given", ["text/plain", "application/octet-stream", "multipart/form-data"])
def test_other_content_types_are_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        sent(request(content_type=given))


@pytest.mark.parametrize(
    ("given", "media"),
    [
        ("*/*", Media.JSON),
        ("application/json", Media.JSON),
        ("application/msgpack", Media.MSGPACK),
        ("application/msgpack, application/json;q=0.5", Media.MSGPACK),
        ("text/html", Media.JSON),
    ],
)
def test_form_of_the_answer_is_read_from_accept(given: str, media: Media) -> None:
    assert wanted(request(accept=given)) is media


@pytest.mark.parametrize("media", Media)
def test_call_survives_both_forms(media: Media) -> None:
    body = pack(CALL) if media is Media.MSGPACK else msgspec.json.encode(CALL)
    assert call_of(EncodeCall, body, media) == CALL


@pytest.mark.parametrize("media", Media)
def test_unknown_output_is_refused_by_name(media: Media) -> None:
    plain = {"model": "m", "items": [{"text": "a"}], "outputs": ["dens"]}
    encoder: Any = msgspec.msgpack if media is Media.MSGPACK else msgspec.json
    with pytest.raises(InvalidInput) as caught:
        call_of(EncodeCall, encoder.encode(plain), media)
    assert caught.value.param == "outputs[0]"
    assert OutputType.DENSE.value == "dense"


def test_result_is_raw_buffers_in_msgpack_and_lists_in_json() -> None:
    result = EncodeResult(
        model="m",
        fingerprint="f",
        dense=np.eye(2, dtype=np.float16),
        tokens=np.array([1, 2], np.int32),
        truncated=np.array([True, False]),
    )
    back = unpack(answer_body(result, Media.MSGPACK), EncodeResult)
    assert back.dense is not None
    assert back.dense.dtype == np.float16
    np.testing.assert_array_equal(back.dense, np.eye(2))
    plain = json.loads(answer_body(result, Media.JSON))
    assert plain["dense"] == [[1.0, 0.0], [0.0, 1.0]]
    assert plain["truncated"] == [True, False]


@pytest.mark.parametrize("media", Media)
def test_error_comes_in_the_form_wanted(media: Media) -> None:
    answer = render_error(QueueFull("full", retry_after=2.0), request(accept=media.value))
    decoder: Any = msgspec.msgpack if media is Media.MSGPACK else msgspec.json
    body = decoder.decode(bytes(answer.body))
    assert answer.headers["content-type"] == media
    assert answer.headers["retry-after"] == "2"
    assert (body["detail"], body["error"]["code"]) == ("full", "queue_full")
    assert body["error"]["request_id"] == "r"
