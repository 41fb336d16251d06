from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from starlette.requests import Request

from stelae.dialects import base
from stelae.dialects.base import (
    RECORD,
    RETRYABLE,
    Record,
    error_headers,
    house_error,
    offload,
    retry_after,
    server_timing,
    timeout_of,
)
from stelae.errors import (
    BY_CODE,
    DeadlineExceeded,
    ErrorInfo,
    InvalidInput,
    NoSuchMethod,
    QueueFull,
    StelaeError,
    Unauthorized,
)
from stelae.types import Timing


def request(**headers: str) -> Request:
    raw = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    scope: dict[str, Any] = {"type": "http", "headers": raw, RECORD: Record(id="r")}
    return Request(scope)


@pytest.mark.parametrize(
    ("given", "told"), [(None, 1), (0.0, 1), (0.01, 1), (1.0, 1), (1.2, 2), (59.5, 60), (900.0, 60)]
)
def test_retry_hint_is_whole_seconds_from_1_to_60(given: float | None, told: int) -> None:
    assert retry_after(QueueFull("full", retry_after=given)) == told


def test_every_retryable_error_has_a_hint_and_no_mistake_of_the_caller_has() -> None:
    for code, kind in BY_CODE.items():
        hint = retry_after(kind("said"))
        assert (hint is not None) == (code in RETRYABLE)
        if kind.status < 500:
            assert hint is None


def test_every_error_has_a_body_for_every_client() -> None:
    for code, kind in BY_CODE.items():
        answer = house_error(kind("said", hint="do this", param="p"), Record(id="r-1"))
        body = json.loads(bytes(answer.body))
        assert answer.status_code == kind.status
        assert body["detail"] == "said (do this)"
        assert {"message", "type", "param", "code"} <= body["error"].keys()
        assert (body["error"]["code"], body["error"]["request_id"]) == (code, "r-1")


def test_error_body_is_read_back_as_error_info() -> None:
    import msgspec

    error = QueueFull("full", retry_after=0.5, details={"depth": 3})
    body = json.loads(bytes(house_error(error, Record(id="r")).body))
    assert msgspec.convert(body["error"], ErrorInfo) == error.info


def test_details_of_any_kind_can_be_told() -> None:
    error = InvalidInput("said", details={"odd": object(), "set": {1}})
    assert json.loads(bytes(house_error(error, Record(id="r")).body))["error"]["details"]


def test_headers_belong_to_their_errors() -> None:
    assert error_headers(Unauthorized("no"))["WWW-Authenticate"] == "Bearer"
    assert error_headers(NoSuchMethod("no", details={"allow": "GET, HEAD"}))["Allow"] == "GET, HEAD"
    assert error_headers(StelaeError("no")) == {"X-Stelae-Error-Code": "internal_error"}


def test_deadline_is_read_in_milliseconds() -> None:
    assert timeout_of(request(x_request_timeout_ms="1500")) == 1.5
    assert timeout_of(request()) is None


@pytest.mark.parametrize("given", ["soon", "nan", "inf", "-inf", ""])
def test_deadline_that_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        timeout_of(request(x_request_timeout_ms=given))


@pytest.mark.parametrize("given", ["0", "-1"])
def test_deadline_that_has_passed_is_an_error(given: str) -> None:
    with pytest.raises(DeadlineExceeded):
        timeout_of(request(x_request_timeout_ms=given))


def test_server_timing_has_all_stages() -> None:
    timing = Timing(prepare_ms=1, queue_ms=2, run_ms=3, finish_ms=4, total_ms=9)
    assert server_timing(timing, 12.3456) == (
        "prepare;dur=1.000, queue;dur=2.000, run;dur=3.000, finish;dur=4.000, total;dur=12.346"
    )


async def test_only_large_work_leaves_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "OFFLOAD_BYTES", 10)
    assert await offload(10, threading.get_ident) == threading.get_ident()
    assert await offload(11, threading.get_ident) != threading.get_ident()


def test_offload_keeps_errors() -> None:
    def fail() -> None:
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        asyncio.run(offload(base.OFFLOAD_BYTES + 1, fail))
