from __future__ import annotations

import json

import msgspec
import pytest
from starlette.requests import Request

from stelae.dialects.answers import (
    error_headers,
    house_error,
    retry_after,
    server_timing,
)
from stelae.dialects.base import RECORD, Record
from stelae.errors import (
    BY_CODE,
    RETRYABLE,
    ErrorInfo,
    InvalidInput,
    NoSuchMethod,
    QueueFull,
    RateLimited,
    StelaeError,
    Unauthorized,
)
from stelae.types import Timing


def asked(name: str) -> Request:
    return Request({"type": "http", "headers": [], RECORD: Record(id=name)})


@pytest.mark.parametrize(
    ("given", "told"), [(None, 1), (0.0, 1), (0.01, 1), (1.0, 1), (1.2, 2), (59.5, 60), (900.0, 60)]
)
def test_retry_hint_is_whole_seconds_from_1_to_60(given: float | None, told: int) -> None:
    assert retry_after(QueueFull("full", retry_after=given)) == told


def test_every_retryable_error_has_a_hint_and_no_mistake_of_the_caller_has() -> None:
    for code, kind in BY_CODE.items():
        hint = retry_after(kind("said"))
        assert (hint is not None) == (code in RETRYABLE)
        if kind.status < 500 and kind is not RateLimited:
            assert hint is None


def test_every_error_has_a_body_for_every_client() -> None:
    for code, kind in BY_CODE.items():
        answer = house_error(kind("said", hint="do this", param="p"), asked("r-1"))
        body = json.loads(bytes(answer.body))
        assert answer.status_code == kind.status
        assert body["detail"] == "said (do this)"
        assert {"message", "type", "param", "code"} <= body["error"].keys()
        assert (body["error"]["code"], body["error"]["request_id"]) == (code, "r-1")


def test_error_body_is_read_back_as_error_info() -> None:
    error = QueueFull("full", retry_after=0.5, details={"depth": 3})
    body = json.loads(bytes(house_error(error, asked("r")).body))
    assert msgspec.convert(body["error"], ErrorInfo) == error.info


def test_details_of_any_kind_can_be_told() -> None:
    error = InvalidInput("said", details={"odd": object(), "set": {1}})
    assert json.loads(bytes(house_error(error, asked("r")).body))["error"]["details"]


def test_headers_belong_to_their_errors() -> None:
    assert error_headers(Unauthorized("no"))["WWW-Authenticate"] == "Bearer"
    assert error_headers(NoSuchMethod("no", details={"allow": "GET, HEAD"}))["Allow"] == "GET, HEAD"
    assert error_headers(StelaeError("no")) == {"X-Stelae-Error-Code": "internal_error"}


def test_server_timing_has_all_stages() -> None:
    timing = Timing(prepare_ms=1, queue_ms=2, run_ms=3, finish_ms=4, total_ms=9)
    assert server_timing(timing, 12.3456) == (
        "prepare;dur=1.000, queue;dur=2.000, run;dur=3.000, finish;dur=4.000, total;dur=12.346"
    )
