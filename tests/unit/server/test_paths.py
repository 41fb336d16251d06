"""From method and path to what answers there."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import house_error
from stelae.dialects.base import RECORD, Dialect, Handle, Operation, Record, RenderError, Rooms
from stelae.errors import InvalidInput
from stelae.server.listeners import Claim
from stelae.server.paths import Paths

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
        "type": "http", "method": "PATCH", "path": path, "headers": [],
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


async def test_a_guess_at_the_client_counts_only_on_the_protocols_own_paths() -> None:
    async def wrong(request: Request, rooms: Rooms) -> Response:
        raise InvalidInput("no")

    def told(status: int) -> RenderError:
        return lambda error, request: Response(status_code=status)

    def asks(headers: Headers) -> bool:
        return "x-own" in headers

    mine = Operation(method="GET", path="/x", handle=wrong, summary="")
    plain = Dialect("plain", "", [mine], told(400))
    for path, status in (("/y", 400), ("/x", 418), ("/{id}", 418)):
        own = Operation(method="POST", path=path, handle=wrong, summary="")
        guessing = Dialect("own", "", [own], told(418), speaks=asks, guesses=True)
        app = Paths([Claim(plain, mine)], NO_ROOMS, [plain, guessing])
        assert await status_of(app, (b"x-own", b"1")) == status


async def test_of_templates_that_fit_the_one_counts_that_says_most() -> None:
    def told(status: int) -> Handle:
        async def handle(request: Request, rooms: Rooms) -> Response:
            return Response(status_code=status)

        return handle

    paths = ("/{any:path}", "/x", "/{id}/progress", "/x/{id:path}", "/x/{id:path}/progress")
    claims = []
    for number, path in enumerate(paths):
        operation = Operation(method="GET", path=path, handle=told(200 + number), summary="")
        claims.append(Claim(Dialect("d", "", [operation], house_error), operation))
    app = Paths(claims, NO_ROOMS)
    asked = {"/x": 201, "/x/progress": 202, "/x/a": 203, "/x/a/b/progress": 204, "/y": 200}
    for path, status in asked.items():
        assert await status_of(app, path=path) == status


async def test_what_a_path_tells_is_each_requests_own() -> None:
    seen: list[Any] = []

    async def handle(request: Request, rooms: Rooms) -> Response:
        seen.append(dict(request.path_params))
        request.path_params["id"] = "changed"
        return Response()

    operation = Operation(method="GET", path="/x/{id:path}", handle=handle, summary="")
    app = Paths([Claim(Dialect("d", "", [operation], house_error), operation)], NO_ROOMS)
    asked = ["a", "a", "b", "long/" * 100]
    for name in asked:
        assert await status_of(app, path=f"/x/{name}") == 200
    assert seen == [{"id": name} for name in asked]


async def test_an_unknown_path_is_refused_each_time() -> None:
    app = paths(("GET", "/x/{id}"))
    for path in ("/y", "/y", "/x/a/b"):
        with pytest.raises(HTTPException) as caught:
            await status_of(app, path=path)
        assert caught.value.status_code == 404


async def test_a_number_that_nobody_can_read_is_of_nothing() -> None:
    app = paths(("GET", "/x/{number:int}"))
    with pytest.raises(HTTPException) as caught:
        await status_of(app, path=f"/x/{'9' * 5000}")
    assert caught.value.status_code == 404


async def status_of(app: Paths, *headers: tuple[bytes, bytes], path: str = "/x") -> int:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "headers": headers, RECORD: Record("1"),
    }  # fmt: skip
    await app(scope, NO_ROOMS, send)
    return int(sent[0]["status"])
