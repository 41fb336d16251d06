"""Feeds of a server: where they are, and what it means if one is refused."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.errors import InvalidInput
from stelae.sie.errors import RequestError

PATHS = {
    "auto": "/ws/cluster-status",
    "cluster": "/ws/cluster-status",
    "worker": "/ws/status",
}
"""Feeds by what is watched; a Stelae server always tells of the whole."""

SILENCE_SECONDS = 30.0
"""Time without any message after which a server is taken for gone."""

SWITCHING = 101


def path_of(mode: str) -> str:
    """Where a feed is.

    Raises:
        InvalidInput: There is none for that.
    """
    if mode not in PATHS:
        raise InvalidInput(f"mode={mode!r} is not one of {', '.join(PATHS)}", param="mode")
    return PATHS[mode]


def refused(status: int, body: bytes) -> RequestError:
    """What a server's answer to a handshake means."""
    try:
        said: dict[str, Any] = msgspec.convert(msgspec.json.decode(body), dict[str, Any])["detail"]
        return RequestError(f"the feed is refused: {said['message']}", said["code"], status)
    except (msgspec.MsgspecError, KeyError, TypeError):
        return RequestError(f"the feed is refused with status {status}", None, status)
