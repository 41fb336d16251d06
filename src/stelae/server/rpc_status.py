"""Errors as gRPC tells them: a status, a sentence, and trailing metadata."""

from __future__ import annotations

from grpc import StatusCode

from stelae.dialects.answers import error_headers
from stelae.errors import BodyTooLarge, NoSuchPath, QueueFull, RateLimited, StelaeError

BY_CLASS: tuple[tuple[type[StelaeError], StatusCode], ...] = (
    (NoSuchPath, StatusCode.UNIMPLEMENTED),
    (QueueFull, StatusCode.RESOURCE_EXHAUSTED),
    (RateLimited, StatusCode.RESOURCE_EXHAUSTED),
    (BodyTooLarge, StatusCode.RESOURCE_EXHAUSTED),
)
"""Errors whose HTTP status does not tell enough."""

BY_STATUS = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    409: StatusCode.FAILED_PRECONDITION,
    499: StatusCode.CANCELLED,
    501: StatusCode.UNIMPLEMENTED,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}
"""Status of gRPC by that of HTTP."""


def status_of(error: StelaeError) -> StatusCode:
    """The status that fits an error."""
    for kind, status in BY_CLASS:
        if isinstance(error, kind):
            return status
    other = StatusCode.INVALID_ARGUMENT if error.status < 500 else StatusCode.INTERNAL
    return BY_STATUS.get(error.status, other)


def trailers_of(error: StelaeError) -> tuple[tuple[str, str], ...]:
    """What goes with a status: the headers that the error has over HTTP."""
    return tuple((name.lower(), value) for name, value in error_headers(error).items())
