"""How requests look on the wire: paths, headers and limits, shared by both clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any
from urllib.parse import quote

import msgspec

from stelae.client._errors import MSGPACK, is_loopback, late, unreachable
from stelae.errors import InvalidInput, ProtocolError
from stelae.version import __version__

ROOT = "/stelae/v1/"
CONNECT_SECONDS = 10.0
"""A connection that takes longer will not come; the answer may take its whole time."""

LIMITS: dict[str, Any] = {
    "max_connections": None,  # the callers decide how many requests are in flight
    "max_keepalive_connections": 100,
    "keepalive_expiry": 4.0,  # below the 5 s of common servers, so that the client closes first
}


def identity(api_key: str | None) -> dict[str, str]:
    """Headers of every request: what is sent, what is read, and who asks.

    Raises:
        InvalidInput: The key cannot be sent as a header.
    """
    fixed = {"accept": MSGPACK, "user-agent": f"stelae-python/{__version__}"}
    if api_key is None:
        return fixed
    if not (api_key and api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise InvalidInput(
            "api_key: give printable ASCII characters without spaces", param="api_key"
        )
    return {**fixed, "authorization": f"Bearer {api_key}"}


def headers(timeout: float | None, form: str | None) -> dict[str, str]:
    """Headers of one request: how long its caller waits, and the form of its body."""
    timed = {} if timeout is None else {"x-request-timeout-ms": str(max(1, ceil(timeout * 1000)))}
    return timed if form is None else {**timed, "content-type": form}


def connect_seconds(timeout: float | None) -> float:
    """Seconds that a connection may take."""
    return min(timeout or CONNECT_SECONDS, CONNECT_SECONDS)


@contextmanager
def told(address: str, timeout: float | None) -> Iterator[None]:
    """Errors of the HTTP library become ours.

    Raises:
        ServerUnreachable: No connection, or it broke.
        DeadlineExceeded: It took too long.
        ProtocolError: The answer is garbled.
    """
    import httpx  # loaded by whoever asks already

    try:
        yield
    except httpx.ConnectTimeout as error:
        seconds = connect_seconds(timeout)
        raise unreachable(address, f"no connection in {seconds:g} s") from error
    except httpx.TimeoutException as error:
        raise late(address, timeout) from error
    except httpx.TransportError as error:
        raise unreachable(address, str(error) or type(error).__name__) from error
    except httpx.DecodingError as error:
        raise ProtocolError(f"the answer of {address} is garbled: {error}") from error


def model_path(name: str, verb: str = "") -> str:
    """Where a model is found below ``ROOT``.

    Raises:
        InvalidInput: No name was given.
    """
    if not isinstance(name, str) or not name.strip("/. "):
        raise InvalidInput(f"name={name!r}: give the name of a model", param="name")
    try:
        return f"models/{quote(name, safe='/')}{'/' + verb if verb else ''}"
    except UnicodeEncodeError as error:
        raise InvalidInput(f"name={name!r} is not text", param="name") from error


def pool_path(name: str, verb: str = "") -> str:
    """Where a pool is found below ``ROOT``.

    Raises:
        InvalidInput: No name was given.
    """
    if not isinstance(name, str) or not name.strip("/. "):
        raise InvalidInput(f"name={name!r}: give the name of a pool", param="name")
    return f"pools/{quote(name, safe='')}{'/' + verb if verb else ''}"


def load_body(engine: str | None, dtype: str | None) -> bytes:
    """The body of a load request, in JSON: what was asked for, and nothing else."""
    asked = {"engine": engine, "dtype": dtype}
    return msgspec.json.encode({key: value for key, value in asked.items() if value is not None})


def security(url: str) -> dict[str, Any]:
    """Arguments for the HTTP library's client that depend on where the server is.

    To this machine requests go directly, whatever proxy the environment names,
    and no certificates are read, which would take longer than most requests.
    """
    if is_loopback(url) and url.startswith("http:"):
        import ssl  # loaded with the HTTP library anyway, and not before

        return {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    return {}
