"""From method and path to what answers there, and in whose shape errors are told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from starlette.convertors import Convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from stelae.dialects.answers import house_error
from stelae.dialects.base import Dialect, RenderError, Rooms
from stelae.errors import StelaeError
from stelae.server.endpoints import Endpoint, Shared
from stelae.server.listeners import Claim

KNOWN = 1024
"""Paths with parameters in them whose endpoints are remembered."""

LONGEST = 256
"""Letters of a path up to which it is remembered."""


class Route(NamedTuple):
    """A template of paths and what answers there.

    Attributes:
        fits: Matches such paths.
        convertors: Read its parameters.
        methods: Those that are answered.
        endpoint: Answers them.
    """

    fits: re.Pattern[str]
    convertors: Mapping[str, Convertor[Any]]
    methods: frozenset[str]
    endpoint: Endpoint | Shared


class Paths:
    """From method and path to endpoint.

    Where several templates fit a path, the one counts that says most of it. Paths that have no
    parameters are looked up; of the others those seen lately are remembered.
    """

    def __init__(
        self, claims: Iterable[Claim], rooms: Rooms, dialects: Sequence[Dialect] = ()
    ) -> None:
        self._plain: dict[tuple[str, str], Endpoint | Shared] = {}
        self._routes: list[Route] = []
        for claim in sorted(claims, key=_said, reverse=True):
            endpoint = _endpoint(claim, rooms, dialects)
            self._routes.append(_route(claim, endpoint))
            if "{" not in claim.operation.path:
                self._plain[claim.operation.method, claim.operation.path] = endpoint
        self._known = lru_cache(KNOWN)(self._found)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request.

        Raises:
            HTTPException: 404, or 405 with all methods that the path takes.
        """
        method, path = scope["method"], scope["path"]
        endpoint = self._plain.get((method, path))
        if endpoint is None:
            find = self._known if len(path) <= LONGEST else self._found
            endpoint, params = find(method, path)
            scope["path_params"] = dict(params)
        return endpoint(scope, receive, send)

    def _found(self, method: str, path: str) -> tuple[Endpoint | Shared, dict[str, Any]]:
        """What answers, and the parameters in the path."""
        allowed: set[str] = set()
        for route in self._routes:
            if (fit := route.fits.match(path)) is None:
                continue
            if method in route.methods:
                return route.endpoint, _params(route, fit)
            allowed |= route.methods
        if allowed:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        raise HTTPException(404)


def _params(route: Route, fit: re.Match[str]) -> dict[str, Any]:
    """What a path tells.

    Raises:
        HTTPException: 404, for a number of more digits than Python reads.
    """
    given = fit.groupdict().items()
    try:
        return {name: route.convertors[name].convert(text) for name, text in given}
    except ValueError as error:
        raise HTTPException(404) from error


def _route(claim: Claim, endpoint: Endpoint | Shared) -> Route:
    method = claim.operation.method
    fits, _, convertors = compile_path(claim.operation.path)
    methods = {method, "HEAD"} if method == "GET" else {method}
    return Route(fits, convertors, frozenset(methods), endpoint)


def _said(claim: Claim) -> int:
    """How much a template says of the paths that fit it: letters outside its parameters."""
    return len(re.sub(r"\{[^}]*\}", "", claim.operation.path))


def _endpoint(claim: Claim, rooms: Rooms, dialects: Sequence[Dialect]) -> Endpoint | Shared:
    *before, own = (
        Endpoint(c.operation, c.dialect, rooms, renderer(dialects, c.dialect.errors))
        for c in (*claim.before, claim)
    )
    return Shared([*before, own]) if before else own


def renderer(dialects: Sequence[Dialect], otherwise: RenderError = house_error) -> RenderError:
    """Errors in the shape of the dialect whose client or place it is, whoever answers there."""
    recognising = [(_recognised(dialect), dialect.errors) for dialect in dialects]
    places = [(place, dialect.errors) for dialect in dialects for place in dialect.places]

    def render(error: StelaeError, request: Request) -> Response:
        for recognised, errors in recognising:
            if recognised(request):
                return errors(error, request)
        path = request.scope["path"]
        for place, errors in places:
            if path == place or path.startswith(f"{place}/"):
                return errors(error, request)
        return otherwise(error, request)

    return render


def _recognised(dialect: Dialect) -> Callable[[Request], bool]:
    """Whether a request comes from a client of a dialect."""
    speaks = dialect.speaks
    if speaks is None:
        return lambda request: False
    if not dialect.guesses:
        return lambda request: speaks(request.headers)
    own = [compile_path(operation.path)[0] for operation in dialect.operations]
    return lambda request: (
        speaks(request.headers) and any(path.match(request.scope["path"]) for path in own)
    )
