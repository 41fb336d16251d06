"""Errors as Anthropic's clients map them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request

from stelae.dialects.anthropic.errors import render_error
from stelae.dialects.base import RECORD, Record
from stelae.errors import BY_CODE, StelaeError

EXPECTED = {
    "invalid_input": (400, "invalid_request_error"),
    "unsupported_task": (400, "invalid_request_error"),
    "unauthorized": (401, "authentication_error"),
    "forbidden": (403, "permission_error"),
    "model_not_found": (404, "not_found_error"),
    "no_such_path": (404, "not_found_error"),
    "no_such_method": (405, "invalid_request_error"),
    "body_too_large": (413, "request_too_large"),
    "input_crashes_model": (422, "invalid_request_error"),
    "deadline_exceeded": (504, "timeout_error"),
    "queue_full": (529, "overloaded_error"),
    "no_capacity": (529, "overloaded_error"),
    "model_not_ready": (529, "overloaded_error"),
    "shutting_down": (529, "overloaded_error"),
    "worker_died": (503, "api_error"),
    "engine_failed": (500, "api_error"),
    "missing_dependency": (501, "api_error"),
}


def rendered(error: StelaeError) -> tuple[int, dict[str, str], dict[str, Any]]:
    request = Request({"type": "http", "headers": [], RECORD: Record(id="r1")})
    answer = render_error(error, request)
    return answer.status_code, dict(answer.headers), json.loads(answer.body)


@pytest.mark.parametrize("code", EXPECTED)
def test_errors_have_the_status_and_type_of_the_protocol(code: str) -> None:
    status, headers, body = rendered(BY_CODE[code]("as you wished", param="x"))
    assert (status, body["error"]["type"]) == EXPECTED[code]
    assert body["type"] == "error"
    assert body["error"]["message"] == "as you wished"
    assert body["error"]["details"] == {"error_code": code, "param": "x"}
    assert body["request_id"] == headers["request-id"] == "r1"


@pytest.mark.parametrize(
    ("code", "again"),
    [("queue_full", "true"), ("worker_died", "true"), ("model_load_failed", "false")],
)
def test_clients_are_told_whether_to_ask_again(code: str, again: str) -> None:
    _, headers, _ = rendered(BY_CODE[code]("as you wished"))
    assert headers["x-should-retry"] == again
    assert ("retry-after" in headers) is (again == "true")


def test_too_long_a_conversation_is_said_in_words_that_agents_know() -> None:
    status, _, body = rendered(BY_CODE["input_too_long"]("900 tokens, at most 512"))
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert body["error"]["message"] == "prompt is too long: 900 tokens, at most 512"
