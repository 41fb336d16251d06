"""What goes wrong on the way, as errors of ours."""

from __future__ import annotations

from collections.abc import Mapping

from stelae.errors import (
    BY_CODE,
    BodyTooLarge,
    Cancelled,
    DeadlineExceeded,
    EngineFailed,
    Forbidden,
    InvalidInput,
    MissingDependency,
    NoSuchPath,
    NotFound,
    QueueFull,
    ServerUnreachable,
    ShuttingDown,
    StelaeError,
    Unauthorized,
)

GRPC: dict[str, type[StelaeError]] = {
    "CANCELLED": Cancelled,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "INVALID_ARGUMENT": InvalidInput,
    "NOT_FOUND": NotFound,
    "PERMISSION_DENIED": Forbidden,
    "RESOURCE_EXHAUSTED": QueueFull,
    "UNAUTHENTICATED": Unauthorized,
    "UNAVAILABLE": ServerUnreachable,
    "UNIMPLEMENTED": NoSuchPath,
}
"""Errors by the name of gRPC's status; others are ``EngineFailed``."""

HTTP: dict[int, type[StelaeError]] = {
    400: InvalidInput,
    401: Unauthorized,
    403: Forbidden,
    404: NoSuchPath,
    413: BodyTooLarge,
    422: InvalidInput,
    429: QueueFull,
    499: Cancelled,
    502: ServerUnreachable,
    503: ServerUnreachable,
    504: DeadlineExceeded,
}
"""Errors by the status of HTTP; others are ``EngineFailed``."""

SOCKET: dict[int, type[StelaeError]] = {
    1001: ShuttingDown,
    1008: Unauthorized,
    1009: BodyTooLarge,
    1011: EngineFailed,
    1013: QueueFull,
}
"""Errors by the code that closes a WebSocket; others are ``ServerUnreachable``."""

CODE, WAIT = "x-stelae-error-code", "retry-after"
"""Headers with which our servers name an error, and say when to come again."""

KEY_HINT = "give credential={'Authorization': ...}"


def of_grpc(status: str, details: str, headers: Mapping[str, str], url: str) -> StelaeError:
    """The error that ends a gRPC call."""
    said = f"{url} ended the call with {status}: {details or 'no reason given'}"
    return _told(GRPC.get(status, EngineFailed), said, headers)


def of_http(status: int, reason: str, headers: Mapping[str, str], url: str) -> StelaeError:
    """The error that an HTTP status means."""
    said = f"{url} answered {status}: {reason or 'no reason given'}"
    return _told(HTTP.get(status, EngineFailed), said, headers)


def of_socket(code: int | None, reason: str, url: str) -> StelaeError:
    """The error that ends a WebSocket; ``None`` is the code of one that just broke."""
    said = f"{url} closed the connection before it had answered: {reason or 'no reason given'}"
    return _told(SOCKET.get(code or 0, ServerUnreachable), said, {})


def _told(kind: type[StelaeError], message: str, headers: Mapping[str, str]) -> StelaeError:
    """An error of the kind that the server names, else of ``kind``."""
    kind = BY_CODE.get(headers.get(CODE, ""), kind)
    wait = headers.get(WAIT, "")
    return kind(
        message,
        hint=KEY_HINT if kind is Unauthorized else None,
        retry_after=float(wait) if wait.isdecimal() else None,
    )


def unreachable(url: str, error: BaseException) -> ServerUnreachable:
    """The server does not answer, or has gone."""
    return ServerUnreachable(
        f"{url} cannot be reached: {error or type(error).__name__}",
        hint="is the server running, and does it listen at this address with this protocol?",
    )


def missing(package: str, url: str) -> MissingDependency:
    """What a protocol needs is not installed."""
    return MissingDependency(
        f"{url} needs the package {package!r}", hint="pip install 'stelae[clip]'"
    )
