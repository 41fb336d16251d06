from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from starlette.requests import Request

from stelae.dialects import ask
from stelae.dialects.ask import offload, timeout_of
from stelae.dialects.base import RECORD, Record
from stelae.errors import (
    DeadlineExceeded,
    InvalidInput,
)


def request(**headers: str) -> Request:
    raw = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    scope: dict[str, Any] = {"type": "http", "headers": raw, RECORD: Record(id="r")}
    return Request(scope)


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


async def test_only_large_work_leaves_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "OFFLOAD_BYTES", 10)
    assert await offload(10, threading.get_ident) == threading.get_ident()
    assert await offload(11, threading.get_ident) != threading.get_ident()


def test_offload_keeps_errors() -> None:
    def fail() -> None:
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        asyncio.run(offload(ask.OFFLOAD_BYTES + 1, fail))
