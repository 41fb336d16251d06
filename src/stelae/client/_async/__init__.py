"""The asynchronous client, written by hand; ``_sync`` is generated from it."""

from stelae.client._async._backend import AsyncBackend
from stelae.client._async._client import AsyncClient
from stelae.client._async._collections import AsyncCollection

__all__ = ["AsyncBackend", "AsyncClient", "AsyncCollection"]
