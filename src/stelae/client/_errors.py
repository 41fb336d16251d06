"""What an HTTP answer means: the value in it, or the error it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from stelae.errors import (
    DeadlineExceeded,
    ErrorInfo,
    InvalidInput,
    ProtocolError,
    ServerUnreachable,
    StelaeError,
    from_info,
)
from stelae.wire import arrays

T = TypeVar("T")

JSON = "application/json"
MSGPACK = "application/msgpack"
_SHOWN = 120


class _Reported(ErrorInfo, frozen=True, kw_only=True):
    request_id: str | None = None


class _Envelope(msgspec.Struct, frozen=True):
    error: _Reported


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whatever library received it; header names in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def format(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def read(answer: Answer, kind: type[T]) -> T:
    """The value in an answer.

    Raises:
        StelaeError: What the server reports, as the class of its code.
        ProtocolError: The answer is not one of Stelae's.
    """
    if answer.status != 200:
        raise _error_in(answer)
    try:
        return _decode(answer, kind)
    except InvalidInput as error:
        raise _unreadable(answer, error.message) from error


def unreachable(url: str, reason: str) -> ServerUnreachable:
    """No answer came from ``url``; the hint is how to get a server there."""
    parts = urlsplit(url)
    if _is_loopback(parts):
        hint = f"start one with: stelae serve --listen {parts.scheme}://{parts.netloc}"
    else:
        hint = f"is the address right, and does 'stelae serve' run on {parts.hostname}?"
    return ServerUnreachable(f"no Stelae server answers at {url}: {reason}", hint=hint)


def late(url: str, seconds: float | None) -> DeadlineExceeded:
    """No answer came from ``url`` in the time there was."""
    within = "in time" if seconds is None else f"within {seconds:.3g} s"
    return DeadlineExceeded(
        f"the server at {url} did not answer {within}",
        hint="give a longer timeout, or ask for less at once (of many items, with batch_size)",
    )


def base_url(url: str) -> str:
    """The address of a server, as the client uses it: checked, without a final slash.

    Raises:
        InvalidInput: It is not an ``http://`` or ``https://`` address.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        shown = url.rpartition("@")[2]  # what stands before may be a password
        raise InvalidInput(
            f"url={shown!r}: give an address such as 'http://127.0.0.1:8080'", param="url"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise InvalidInput(
            f"url for host {parts.hostname!r}: give no user, query or fragment in it",
            param="url",
            hint="a key goes in api_key",
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine."""
    return _is_loopback(urlsplit(url))


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _decode(answer: Answer, kind: type[T]) -> T:
    if answer.format == MSGPACK:
        return arrays.unpack(answer.body, kind)
    if answer.format == JSON:
        return arrays.from_json(answer.body, kind)
    raise InvalidInput(f"its type is {answer.format or 'not stated'!r}")


def _error_in(answer: Answer) -> StelaeError:
    try:
        info = _decode(answer, _Envelope).error
    except InvalidInput:
        return _unreadable(answer, "its body is not a Stelae error")
    error = from_info(info)
    error.retry_after = info.retry_after or _retry_after(answer)
    if info.request_id is not None:
        error.details = {**error.details, "request_id": info.request_id}
    return error


def _retry_after(answer: Answer) -> float | None:
    # Only the form in seconds: the date form depends on two clocks.
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _unreadable(answer: Answer, reason: str) -> ProtocolError:
    shown = answer.body[:_SHOWN].decode("utf-8", "replace").strip()
    begins = f", beginning {shown!r}" if shown and answer.format != MSGPACK else ""
    error = ProtocolError(
        f"{answer.url} answered {answer.status} in a way that Stelae does not{begins}: {reason}",
        hint="is a Stelae server at this address, and is it as new as this client?",
        retry_after=_retry_after(answer),
        details={"status": answer.status},
    )
    if location := answer.headers.get("location"):
        error.hint = f"it redirects to {location}; use that address"
    return error
