# Generated from src/stelae/sie/_async/__init__.py by tools/unasync.py: do not edit.
"""SIE's client over ours, with ``await``."""

from stelae.sie._sync.client import SIEClient

__all__ = ["SIEClient"]
