"""Stelae's own protocol: the verbs as HTTP, arrays as raw buffers."""

from stelae.dialects.base import Dialect
from stelae.dialects.native.collections import COLLECTION_OPERATIONS
from stelae.dialects.native.convert import render_error
from stelae.dialects.native.launches import LAUNCH_OPERATIONS
from stelae.dialects.native.logs import LOG_OPERATIONS
from stelae.dialects.native.pools import POOL_OPERATIONS
from stelae.dialects.native.registry import REGISTRY_OPERATIONS
from stelae.dialects.native.routes import OPERATIONS
from stelae.dialects.native.streams import STREAM_OPERATIONS

DIALECT = Dialect(
    "native",
    "Stelae's own protocol: msgpack or JSON",
    (
        *OPERATIONS,
        *STREAM_OPERATIONS,
        *COLLECTION_OPERATIONS,
        *POOL_OPERATIONS,
        *LAUNCH_OPERATIONS,
        *REGISTRY_OPERATIONS,
        *LOG_OPERATIONS,
    ),
    render_error,
)
