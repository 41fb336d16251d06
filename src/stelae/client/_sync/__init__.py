# Generated from src/stelae/client/_async/__init__.py by tools/unasync.py: do not edit.
"""The asynchronous client, written by hand; ``_sync`` is generated from it."""

from stelae.client._sync._backend import Backend
from stelae.client._sync._client import Client
from stelae.client._sync._collections import Collection

__all__ = ["Backend", "Client", "Collection"]
