"""A server as Xinference's commands are pointed at it, and the key that is shown to it."""

from __future__ import annotations

import os
from pathlib import Path

from stelae.client import _login
from stelae.xinference import Client

BEARER = "Bearer "


class Session(Client):
    """A client of the server at an endpoint.

    Args:
        endpoint: Its address.
        key: Key to show; else the one in ``STELAE_API_KEY``, or one that was kept by a login.

    Raises:
        XinferenceError: The address or the key is none.
    """

    def __init__(self, endpoint: str, key: str | None = None) -> None:
        super().__init__(endpoint, key or os.environ.get("STELAE_API_KEY") or None)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of all requests, shared with handles."""
        return self._rest.headers

    def keep(self) -> Path | None:
        """Keep the key that a login has brought; ``None`` where no key is needed."""
        shown = self.headers.get("authorization")
        return None if shown is None else _login.keep(self.base_url, shown.removeprefix(BEARER))
