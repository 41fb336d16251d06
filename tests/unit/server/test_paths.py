"""From method and path to what answers there."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import house_error
from stelae.dialects.base import RECORD, Dialect, Operation, Record, RenderError, Rooms
from stelae.errors import InvalidInput
from stelae.server.app import Paths
from stelae.server.listeners import Claim

NO_ROOMS: Any = None
"""What answers here enters none."""


async def nothing(request: Request, rooms: Rooms) -> Response:
    return Response()


def paths(*taken: tuple[str, str]) -> Paths:
    operations = [Operation(method=m, path=p, handle=nothing, summary="") for m, p in taken]
    dialect = Dialect("d", "", operations, house_error)
    return Paths([Claim(dialect, operation) for operation in operations], NO_ROOMS)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/pools", "POST"),
        ("/pools/a", "DELETE, GET, HEAD, POST"),
        ("/files/a/b", "GET, HEAD, PUT"),
    ],
)
async def test_wrong_method_is_answered_with_all_that_the_path_takes(
    path: str, allowed: str
) -> None:
    app = paths(
        ("POST", "/pools"),
        ("GET", "/pools/{name}"),
        ("DELETE", "/pools/{pool}"),
        ("POST", "/pools/a"),
        ("GET", "/files/{id:path}"),
        ("PUT", "/files/{id:path}"),
    )
    scope: dict[str, Any] = {
        "type": "http", "method": "PATCH", "path": path, "headers": [], "app": app,
    }  # fmt: skip
    with pytest.raises(HTTPException) as caught:
        await app(scope, NO_ROOMS, NO_ROOMS)
    assert caught.value.status_code == 405
    assert caught.value.headers == {"Allow": allowed}


async def test_errors_are_in_the_shape_of_the_client_that_asks() -> None:
    async def wrong(request: Request, rooms: Rooms) -> Response:
        raise InvalidInput("no")

    def told(status: int) -> RenderError:
        return lambda error, request: Response(status_code=status)

    operation = Operation(method="GET", path="/x", handle=wrong, summary="")
    plain = Dialect("plain", "", [operation], told(400))
    knowing = Dialect("own", "", [], told(418), speaks=lambda headers: "x-own" in headers)
    app = Paths([Claim(plain, operation)], NO_ROOMS, [plain, knowing])
    assert await status_of(app) == 400
    assert await status_of(app, (b"x-own", b"1")) == 418


async def status_of(app: Paths, *headers: tuple[bytes, bytes]) -> int:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/x", "headers": headers, RECORD: Record("1"),
    }  # fmt: skip
    await app(scope, NO_ROOMS, send)
    return int(sent[0]["status"])
