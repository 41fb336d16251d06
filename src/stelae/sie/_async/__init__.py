"""SIE's client over ours, with ``await``."""

from stelae.sie._async.client import SIEAsyncClient

__all__ = ["SIEAsyncClient"]
