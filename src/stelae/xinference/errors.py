"""What is raised under Xinference's names.

    XinferenceError (RuntimeError)      the server refused something, or failed
    ├── XinferenceConnectionError       no server answers (a ConnectionError too)
    └── UnknownModelKind                a model of which no handle is known (a ValueError too)

Its own clients raise ``RuntimeError``, so programs that catch that go on as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stelae.errors import InvalidInput, ServerUnreachable, StelaeError


class XinferenceError(RuntimeError):
    """A server refused something, or failed.

    Attributes:
        detail: What it said, without what was tried.
        status: HTTP status; 0 if there was none.
        code: The word of Stelae for it, as in ``docs/errors.md``; empty from other servers.
        retry_after: Seconds after which it makes sense to ask again.
    """

    def __init__(
        self,
        message: str,
        *,
        detail: str = "",
        status: int = 0,
        code: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.detail = detail or message
        self.status, self.code, self.retry_after = status, code, retry_after


class XinferenceConnectionError(XinferenceError, ConnectionError):
    """No server answers, or the connection broke."""


class UnknownModelKind(XinferenceError, ValueError):
    """A server has a model of a kind that no handle is for."""


def invalid(message: str) -> XinferenceError:
    """What is raised for an argument that cannot be sent."""
    return XinferenceError(message, code=InvalidInput.code)


@contextmanager
def renamed(what: str) -> Iterator[None]:
    """Raise the errors of the house that are raised within under the names of this module.

    Args:
        what: What is tried, as ``Failed to launch model``.
    """
    try:
        yield
    except StelaeError as error:
        away = isinstance(error, ServerUnreachable)
        kind = XinferenceConnectionError if away else XinferenceError
        told = str(error)
        raise kind(
            f"{what}, detail: {told}", detail=told, code=error.code, retry_after=error.retry_after
        ) from error


__all__ = ["UnknownModelKind", "XinferenceConnectionError", "XinferenceError"]
