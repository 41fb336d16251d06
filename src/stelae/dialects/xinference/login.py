"""Logging in: the password is one of the server's keys, and so are the tokens."""

from __future__ import annotations

from typing import NoReturn

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import decode, read
from stelae.errors import Forbidden, InvalidInput, Unauthorized


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who logs in.

    Attributes:
        username: Any name; it is not used.
        password: A key of the server.
    """

    username: str = ""
    password: str = ""


class RefreshRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A token to use further.

    Attributes:
        refresh_token: As ``POST /token`` gave it.
    """

    refresh_token: str | None = None


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What to show from now on.

    Attributes:
        access_token: The key.
        refresh_token: The key again: keys do not run out.
        token_type: Always ``bearer``.
    """

    access_token: str
    refresh_token: str
    token_type: str = "bearer"  # noqa: S105  # a word of the protocol


_LOGIN = msgspec.json.Decoder(LoginRequest)
_REFRESH = msgspec.json.Decoder(RefreshRequest)


async def login(request: Request, rooms: Rooms) -> Response:
    """Take a key of the server as a password."""
    return _tokens(rooms, decode(_LOGIN, await read(request)).password)


async def refresh(request: Request, rooms: Rooms) -> Response:
    """Say whether a key still holds."""
    token = decode(_REFRESH, await read(request)).refresh_token
    if not token:
        raise InvalidInput("the field 'refresh_token' is missing", param="refresh_token")
    return _tokens(rooms, token)


def _tokens(rooms: Rooms, key: str) -> Response:
    if rooms.keys and rooms.keys.find(key.encode("utf-8", "replace")) is None:
        raise Unauthorized(
            "the password is not a key of this server",
            hint="any name will do; 'stelae keys create NAME' makes a key",
        )
    return json_answer(Tokens(access_token=key, refresh_token=key))


async def logout(request: Request, rooms: Rooms) -> Response:
    """Forget nothing: a key holds until it is revoked."""
    del request, rooms
    return json_answer({"ok": True})


async def setup_status(request: Request, rooms: Rooms) -> Response:
    """Whether accounts have to be set up: there are none."""
    del request, rooms
    return json_answer({"needs_setup": False, "initialized": True, "password_min_length": 0})


async def setup(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse to make an account.

    Raises:
        Forbidden: Always.
    """
    del request, rooms
    raise Forbidden("this server has no accounts", hint="'stelae keys create NAME' makes a key")


LOGIN_OPERATIONS = (
    Operation(
        method="POST",
        path="/token",
        handle=login,
        summary="Log in with a key of the server as password.",
        request=LoginRequest,
        example={"username": "anyone", "password": "sk-..."},
        response=Tokens,
        errors=(Unauthorized,),
        open=True,
    ),
    Operation(
        method="POST",
        path="/v1/auth/refresh",
        handle=refresh,
        summary="Say whether a key still holds.",
        request=RefreshRequest,
        example={"refresh_token": "sk-..."},
        response=Tokens,
        errors=(InvalidInput, Unauthorized),
        open=True,
    ),
    Operation(
        method="POST",
        path="/v1/auth/logout",
        handle=logout,
        summary="Nothing to forget: a key holds until it is revoked.",
        open=True,
    ),
    Operation(
        method="GET",
        path="/v1/admin/setup/status",
        handle=setup_status,
        summary="Whether accounts have to be set up: never.",
        open=True,
    ),
    Operation(
        method="POST",
        path="/v1/admin/setup",
        handle=setup,
        summary="Refused: there are no accounts.",
        errors=(Forbidden,),
    ),
)
