"""The server's own pages: health, metrics and documentation."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stelae.dialects.answers import house_error, json_answer
from stelae.dialects.base import Dialect, Handle, Operation, Rooms, shows_key
from stelae.service.fleet import Readiness
from stelae.telemetry.metrics import CONTENT_TYPE

_DOCS = files("stelae.server").joinpath("docs.html").read_bytes()

_DOCS_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:"
    ),
    "X-Content-Type-Options": "nosniff",
}


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's event loop turns."""

    status: str


async def healthz(request: Request, rooms: Rooms) -> Response:
    """Alive: answered by the event loop alone."""
    del request, rooms
    return json_answer(Health(status="ok"))


async def readyz(request: Request, rooms: Rooms) -> Response:
    """Ready: every model that was to be loaded answers its canary; strangers get no names."""
    readiness = rooms.fleet.ready()
    told = readiness if shows_key(request, rooms) else _unnamed(readiness)
    return json_answer(told, 200 if readiness.ready else 503)


def _unnamed(readiness: Readiness) -> Readiness:
    """The same without names of models."""
    silent = readiness.models and not readiness.ready
    return Readiness(
        ready=readiness.ready,
        models=[],
        reason="a model does not answer" if silent else readiness.reason,
    )


async def metrics(request: Request, rooms: Rooms) -> Response:
    """All metrics in Prometheus' text format."""
    del request
    return Response(rooms.metrics.render(), 200, {"Content-Type": CONTENT_TYPE})


async def docs(request: Request, rooms: Rooms) -> Response:
    """The documentation of all paths as a page for people."""
    del request, rooms
    return Response(_DOCS, 200, _DOCS_HEADERS, "text/html")


async def root(request: Request, rooms: Rooms) -> Response:
    """To the documentation."""
    del request, rooms
    return RedirectResponse("/docs", 307)


def pages(document: Callable[[], bytes]) -> Dialect:
    """The pages as a dialect, so that they are routed and documented like the others.

    Args:
        document: Makes the OpenAPI document of the whole server.
    """

    async def openapi(request: Request, rooms: Rooms) -> Response:
        del request, rooms
        return Response(document(), 200, None, "application/json")

    operations = (
        _page("/healthz", healthz, "Alive.", response=Health, open=True),
        _page("/readyz", readyz, "Ready to answer; 503 if not.", response=Readiness, open=True),
        _page("/metrics", metrics, "Metrics in Prometheus' text format.", media=("text/plain",)),
        _page("/openapi.json", openapi, "This description.", open=True),
        _page("/docs", docs, "This description, for people.", media=("text/html",)),
        _page("/", root, "To the documentation.", media=("text/html",)),
    )
    return Dialect("server", "Health, metrics and documentation", operations, house_error)


def _page(path: str, handle: Handle, summary: str, **more: Any) -> Operation:
    return Operation(method="GET", path=path, handle=handle, summary=summary, quiet=True, **more)
