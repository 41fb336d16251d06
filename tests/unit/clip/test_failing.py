"""What ends a call is told as an error of ours."""

from __future__ import annotations

import pytest

from stelae.clip.carriers.failing import of_grpc, of_http, of_socket
from stelae.errors import (
    BodyTooLarge,
    EngineFailed,
    ModelNotReady,
    QueueFull,
    ServerUnreachable,
    ShuttingDown,
    StelaeError,
    Unauthorized,
)

URL = "grpc://h:1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("UNAUTHENTICATED", Unauthorized),
        ("RESOURCE_EXHAUSTED", QueueFull),
        ("UNAVAILABLE", ServerUnreachable),
        ("INTERNAL", EngineFailed),
    ],
)
def test_statuses_of_grpc(status: str, kind: type[StelaeError]) -> None:
    assert type(of_grpc(status, "", {}, URL)) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (503, ServerUnreachable), (500, EngineFailed)]
)
def test_statuses_of_http(status: int, kind: type[StelaeError]) -> None:
    assert type(of_http(status, "", {}, URL)) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1001, ShuttingDown), (1009, BodyTooLarge), (1011, EngineFailed), (None, ServerUnreachable)],
)
def test_codes_of_websockets(code: int | None, kind: type[StelaeError]) -> None:
    error = of_socket(code, "because", URL)
    assert type(error) is kind
    assert "because" in str(error)


def test_our_servers_name_the_error() -> None:
    headers = {"x-stelae-error-code": "model_not_ready", "retry-after": "3"}
    for error in (of_grpc("UNAVAILABLE", "", headers, URL), of_http(503, "", headers, URL)):
        assert type(error) is ModelNotReady
        assert error.retry_after == 3
