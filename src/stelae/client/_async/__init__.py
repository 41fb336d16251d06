"""The asynchronous client, written by hand; ``_sync`` is generated from it."""

from stelae.client._async._backend import AsyncBackend
from stelae.client._async._client import AsyncClient

__all__ = ["AsyncBackend", "AsyncClient"]
