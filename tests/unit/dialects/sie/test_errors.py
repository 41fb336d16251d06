from __future__ import annotations

import json

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from stelae.dialects.base import RECORD, Record
from stelae.dialects.sie.errors import render_error
from stelae.dialects.sie.versions import NEWEST, speaks, told, version
from stelae.errors import (
    BY_CODE,
    LOADING,
    Forbidden,
    HubUnreachable,
    InputTooLong,
    MissingDependency,
    ModelNotFound,
    ModelNotReady,
    NoCapacity,
    OutOfMemory,
    QueueFull,
    StelaeError,
    Unauthorized,
    UnsupportedCheckpoint,
)

TERMINAL = {"INVALID_INPUT", "INPUT_TOO_LONG", "MODEL_NOT_FOUND", "MODEL_LOAD_FAILED"}
"""Codes after which the SDK must not be told to ask again."""


def asked(sdk: str | None = "0.10.1") -> Request:
    headers = [] if sdk is None else [(b"x-sie-sdk-version", sdk.encode("latin-1"))]
    return Request({"type": "http", "headers": headers, RECORD: Record(id="r")})


@pytest.mark.parametrize("kind", BY_CODE.values(), ids=BY_CODE)
@pytest.mark.parametrize("retry", [None, 0.0, 0.01, 3600.0])
def test_every_error_can_be_read_by_the_sdk(kind: type[StelaeError], retry: float | None) -> None:
    answer = render_error(kind("said", retry_after=retry), asked())
    body = json.loads(bytes(answer.body))
    assert set(body) == {"detail"}
    assert body["detail"]["message"] == "said"
    code = body["detail"]["code"]
    assert code == code.upper()
    assert answer.headers["x-sie-error-code"] == code
    assert answer.headers["x-sie-request-id"] == "r"
    hint = answer.headers.get("retry-after")
    assert hint is None or 0 < float(hint) <= 60
    if code in TERMINAL and retry is None:
        assert hint is None


@pytest.mark.parametrize(
    ("error", "status", "code", "hint"),
    [
        (InputTooLong("x"), 400, "INPUT_TOO_LONG", None),
        (QueueFull("x", retry_after=0.2), 503, "QUEUE_FULL", "0.2"),
        (QueueFull("x"), 503, "QUEUE_FULL", "1"),
        (ModelNotReady("x", retry_after=40.0), 503, "MODEL_LOADING", "1"),
        (ModelNotReady("x", retry_after=0.01), 503, "MODEL_LOADING", "0.25"),
        (OutOfMemory("x"), 503, "RESOURCE_EXHAUSTED", "5"),
        (NoCapacity("x", retry_after=2.0), 503, "PROVISIONING", "2"),
        (UnsupportedCheckpoint("x"), 502, "MODEL_LOAD_FAILED", None),
        (HubUnreachable("x", retry_after=9.0), 502, "MODEL_LOAD_FAILED", None),
    ],
)
def test_status_code_and_hint_are_those_of_the_contract(
    error: StelaeError, status: int, code: str, hint: str | None
) -> None:
    answer = render_error(error, asked())
    assert answer.status_code == status
    assert answer.headers["x-sie-error-code"] == code
    assert answer.headers.get("retry-after") == hint


def test_failed_load_says_whether_it_is_for_good() -> None:
    for error, kind, permanent in (
        (UnsupportedCheckpoint("x"), "CONFIG", True),
        (HubUnreachable("x"), "NETWORK", False),
        (MissingDependency("x"), "DEPENDENCY", True),
        (ModelNotFound("x", details={"stage": LOADING}), "NOT_FOUND", True),
        (Forbidden("x", details={"stage": LOADING}), "GATED", True),
        (Unauthorized("x", details={"stage": LOADING}), "GATED", True),
    ):
        answer = render_error(error, asked())
        detail = json.loads(bytes(answer.body))["detail"]
        assert (answer.status_code, detail["code"]) == (502, "MODEL_LOAD_FAILED")
        assert "stage" not in detail
        assert (detail["error_class"], detail["permanent"]) == (kind, permanent)
        assert detail["attempts"] >= 1


@pytest.mark.parametrize("kind", [ModelNotFound, Forbidden, Unauthorized])
def test_what_no_load_ended_with_is_what_it_was(kind: type[StelaeError]) -> None:
    answer = render_error(kind("x"), asked())
    assert answer.status_code == kind.status
    assert answer.headers["x-sie-error-code"] == kind.code.upper()


def test_failed_load_says_how_often_it_was_tried() -> None:
    error = UnsupportedCheckpoint("x", details={"stage": LOADING, "attempts": 3})
    assert json.loads(bytes(render_error(error, asked()).body))["detail"]["attempts"] == 3


@pytest.mark.parametrize(
    ("sdk", "status"),
    [("0.1.10", 202), ("0.6.4", 202), ("0.6.5", 503), ("0.10.1", 503), ("unknown", 503)],
)
def test_provisioning_is_told_in_the_way_of_the_sdks_version(sdk: str, status: int) -> None:
    answer = render_error(NoCapacity("none", retry_after=1.5, details={"gpu": "l4"}), asked(sdk))
    body = json.loads(bytes(answer.body))
    assert answer.status_code == status
    assert answer.headers["retry-after"] == "1.5"
    facts = body if status == 202 else body["detail"]
    assert facts["gpu"] == "l4"
    assert body.get("status", "provisioning") == "provisioning"


@pytest.mark.parametrize(
    ("given", "read"),
    [("0.10.1", (0, 10, 1)), ("0.3", (0, 3, 0)), ("1.2.3rc1", (1, 2, 3)), ("unknown", NEWEST),
     ("", NEWEST), ("9" * 50, NEWEST)],
)  # fmt: skip
def test_version_is_read_or_taken_for_the_newest(given: str, read: tuple[int, ...]) -> None:
    assert version(asked(given).headers) == read


def test_version_of_the_sdk_comes_back_and_nothing_else_of_the_header() -> None:
    assert told(asked("0.3.1").headers) == "0.3.1"
    assert told(asked("unknown").headers) is None
    assert told(Headers({})) is None
    assert speaks(asked("unknown").headers)
    assert not speaks(Headers({"accept": "application/json"}))
