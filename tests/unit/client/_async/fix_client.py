from __future__ import annotations

from typing import Any

import httpx
from unit.client.fix_server import URL

from stelae.client import AsyncClient, RetryPolicy

AT_ONCE = RetryPolicy(base=0.0, patience=0.0, floor=1e9)
"""Retries that wait for nothing."""


def client_of(handler: Any, **options: Any) -> AsyncClient:
    """A client of a server that is a function."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return AsyncClient(URL, http_client=http, **{"retries": AT_ONCE, **options})
