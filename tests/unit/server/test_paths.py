"""From method and path to what answers there."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import house_error
from stelae.dialects.base import Dialect, Operation, Rooms
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
