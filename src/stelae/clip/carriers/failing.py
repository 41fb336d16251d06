"""What goes wrong on the way, as errors of ours."""

from __future__ import annotations

from stelae.errors import (
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

KEY_HINT = "give credential={'Authorization': ...}"


def of_grpc(status: str, details: str, url: str) -> StelaeError:
    """The error that ends a gRPC call."""
    kind = GRPC.get(status, EngineFailed)
    hint = KEY_HINT if kind is Unauthorized else None
    return kind(f"{url} ended the call with {status}: {details or 'no reason given'}", hint=hint)


def of_http(status: int, reason: str, url: str) -> StelaeError:
    """The error that an HTTP status means."""
    kind = HTTP.get(status, EngineFailed)
    hint = KEY_HINT if kind is Unauthorized else None
    return kind(f"{url} answered {status}: {reason or 'no reason given'}", hint=hint)


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
