from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from stelae.dialects.base import RECORD, Record
from stelae.dialects.openai.convert import (
    CODES,
    embedding_body,
    encode_call,
    fields_as_sent,
    model_list,
    render_error,
    sent,
)
from stelae.dialects.openai.schema import EmbeddingRequest, EncodingFormat
from stelae.errors import (
    BY_CODE,
    EngineFailed,
    ErrorInfo,
    InputTooLong,
    InvalidInput,
    QueueFull,
    StelaeError,
    UnsupportedTask,
)
from stelae.types import EncodeResult, Item, ModelInfo, OutputType, Sparse, Truncate, Usage


def asked(value: Any, **more: Any) -> EmbeddingRequest:
    return msgspec.convert({"model": "m", "input": value, **more}, EmbeddingRequest)


def result(dense: Any, truncated: list[int] | None = None, **more: Any) -> EncodeResult:
    count = len(dense)
    cut = np.zeros(count, np.bool_)
    cut[truncated or []] = True
    return EncodeResult(
        model="m",
        fingerprint="f",
        dense=np.asarray(dense),
        tokens=np.full(count, 3, np.int32),
        truncated=cut,
        usage=Usage(tokens=3 * count),
        **more,
    )


@pytest.mark.parametrize(
    ("of_the_call", "sent"),
    [
        ("outputs", "model"),
        ("items", "input"),
        ("dimensions", "dimensions"),
        ("instruction", None),
        ("dtype", None),
        ("input[3]", "input[3]"),
        ("X-Request-Timeout-Ms", "X-Request-Timeout-Ms"),
        (None, None),
    ],
)
def test_error_names_a_field_that_the_caller_sent(of_the_call: str | None, sent: str) -> None:
    with pytest.raises(UnsupportedTask, match="why") as caught, fields_as_sent():
        raise UnsupportedTask("why", param=of_the_call, hint="how")
    assert (caught.value.param, caught.value.hint) == (sent, "how")


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("a", [Item(text="a")]),
        ("", [Item(text="")]),
        (["a", "b"], [Item(text="a"), Item(text="b")]),
        ([1, 2], [Item(token_ids=[1, 2])]),
        ([[1, 2], [3]], [Item(token_ids=[1, 2]), Item(token_ids=[3])]),
    ],
)
def test_input_becomes_items(value: Any, items: list[Item]) -> None:
    assert encode_call(asked(value)).items == items


@pytest.mark.parametrize(
    ("value", "param"),
    [([], "input"), ([[]], "input[0]"), (["a", 1], "input[1]"), ([1, [2]], "input[1]")],
)
def test_input_that_means_nothing_is_refused(value: Any, param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode_call(asked(value))
    assert caught.value.param == param


def test_items_told_by_objects_stand_between_texts() -> None:
    told = {1: Item(image=b"a")}
    assert encode_call(asked(["a", {"image": "YQ=="}]), told).items == [Item(text="a"), told[1]]
    assert encode_call(asked({"image": "YQ=="}), {0: told[1]}).items == [told[1]]
    with pytest.raises(InvalidInput, match="cannot be mixed"):
        encode_call(asked([{"image": "YQ=="}, [1, 2]]), {0: told[1]})


def test_options_of_xinferences_client_are_heeded() -> None:
    call = encode_call(
        asked("a", truncate_prompt_tokens=5, normalize_embedding=False, return_sparse=True)
    )
    assert (call.max_tokens, call.normalize, call.outputs) == (5, False, (OutputType.SPARSE,))
    assert encode_call(asked("a", truncate_prompt_tokens=-1)).max_tokens is None


def test_weights_of_terms_are_told_by_the_ids_of_their_tokens() -> None:
    sparse = Sparse(
        indices=np.array([3, 17, 5], np.int32),
        values=np.array([0.5, 2.0, 0.25], np.float32),
        offsets=np.array([0, 2, 3]),
    )
    made = msgspec.structs.replace(result(np.eye(2)), dense=None, sparse=sparse)
    body = json.loads(embedding_body(made, asked(["a", "b"], return_sparse=True)))
    assert body["data"] == [
        {"object": "sparse_embedding", "index": 0, "embedding": {"3": 0.5, "17": 2.0}},
        {"object": "sparse_embedding", "index": 1, "embedding": {"5": 0.25}},
    ]
    with pytest.raises(EngineFailed, match="weights"):
        embedding_body(result(np.eye(1)), asked("a", return_sparse=True))


def test_error_names_what_asked_for_weights() -> None:
    wanted = asked("a", return_sparse=True)
    with pytest.raises(UnsupportedTask) as caught, fields_as_sent(names=sent(wanted)):
        raise UnsupportedTask("why", param="outputs")
    assert caught.value.param == "return_sparse"


def test_null_means_the_default() -> None:
    call = encode_call(asked("a", dimensions=None, truncate=None, encoding_format=None, user=None))
    assert (call.dimensions, call.truncate) == (None, Truncate.END)


def test_floats_are_written_with_their_places() -> None:
    body = json.loads(embedding_body(result(np.eye(2, 3, dtype=np.float32)), asked(["a", "b"])))
    assert body == {
        "object": "list",
        "model": "m",
        "model_replica": "m-rep0",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 0.0, 0.0]},
            {"object": "embedding", "index": 1, "embedding": [0.0, 1.0, 0.0]},
        ],
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    }


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_both_formats_give_back_every_number(numbers: list[float]) -> None:
    dense = np.array([numbers], np.float32)
    plain = json.loads(embedding_body(result(dense), asked("a")))
    coded = json.loads(embedding_body(result(dense), asked("a", encoding_format="base64")))
    read = np.array(plain["data"][0]["embedding"], np.float32)
    raw = np.frombuffer(base64.b64decode(coded["data"][0]["embedding"]), "<f4")
    np.testing.assert_array_equal(read, dense[0])
    np.testing.assert_array_equal(raw, dense[0])


@pytest.mark.parametrize("dense", [np.eye(3, dtype=">f4"), np.eye(3, dtype=np.float32)[:, ::2]])
@pytest.mark.parametrize("form", EncodingFormat)
def test_any_layout_in_memory_is_written_right(dense: Any, form: EncodingFormat) -> None:
    body = json.loads(embedding_body(result(dense), asked(["a"] * 3, encoding_format=form)))
    rows = [item["embedding"] for item in body["data"]]
    if form is EncodingFormat.BASE64:
        rows = [np.frombuffer(base64.b64decode(row), "<f4") for row in rows]
    np.testing.assert_array_equal(np.array(rows, np.float32), dense.astype(np.float32))


def test_only_cut_items_are_marked() -> None:
    body = json.loads(embedding_body(result(np.eye(3), truncated=[1]), asked(["a", "b", "c"])))
    assert [item.get("truncated") for item in body["data"]] == [None, True, None]


@pytest.mark.parametrize(
    ("value", "param"), [(["a", "b"], "input[1]"), ([[1], [2]], "input[1]"), ("a", "input")]
)
def test_failed_item_fails_the_request_by_its_place(value: Any, param: str) -> None:
    index = 1 if param != "input" else 0
    errors = {index: ErrorInfo(code="input_too_long", message="300 tokens", status=400)}
    with pytest.raises(InputTooLong, match="300 tokens") as caught:
        embedding_body(result(np.eye(2), errors=errors), asked(value))
    assert caught.value.param == param


def test_result_without_vectors_is_the_models_failure() -> None:
    nothing = msgspec.structs.replace(result(np.eye(1)), dense=None)
    with pytest.raises(EngineFailed):
        embedding_body(nothing, asked("a"))


def told(error: StelaeError) -> tuple[dict[str, Any], dict[str, str]]:
    request = Request({"type": "http", "headers": [], RECORD: Record(id="r")})
    answer = render_error(error, request)
    assert answer.status_code == error.status
    body = json.loads(bytes(answer.body))
    assert body["detail"] == body["error"]["message"]
    return body["error"], dict(answer.headers)


def test_every_error_has_the_four_fields_of_this_protocol() -> None:
    for code, kind in BY_CODE.items():
        fields, headers = told(kind("said"))
        assert {"message", "type", "param", "code"} <= fields.keys()
        assert fields["code"] == CODES.get(code, code)
        assert fields["type"].endswith("_error")
        assert headers["content-type"] == "application/json"


def test_overload_asks_for_a_retry() -> None:
    fields, headers = told(QueueFull("full", retry_after=2.5))
    assert fields["code"] == "server_overloaded"
    assert (headers["x-should-retry"], headers["retry-after"]) == ("true", "3")


@pytest.mark.parametrize(
    "code", ["model_load_failed", "unsupported_checkpoint", "deadline_exceeded"]
)
def test_hopeless_errors_ask_for_no_retry(code: str) -> None:
    assert told(BY_CODE[code]("said"))[1]["x-should-retry"] == "false"


def test_hint_is_part_of_the_message() -> None:
    fields, _ = told(InvalidInput("no such thing", hint="did you mean 'x'?"))
    assert fields["message"] == "no such thing (did you mean 'x'?)"


def test_listed_model_carries_what_is_known_of_it() -> None:
    info = ModelInfo(name="m", source="embedded", dimensions=384, max_tokens=256, fingerprint="f")
    listed = msgspec.to_builtins(model_list([info], created=12))
    assert listed["object"] == "list"
    shown = listed["data"][0]
    assert (shown["id"], shown["object"], shown["created"]) == ("m", "model", 12)
    assert (shown["dimensions"], shown["max_tokens"], shown["fingerprint"]) == (384, 256, "f")
