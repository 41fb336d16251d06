"""The client with ``await``; the one without is made of it by ``tools/unasync.py``."""

from stelae.xinference._async.client import AsyncClient
from stelae.xinference._async.handles import (
    AsyncChatModelHandle,
    AsyncEmbeddingModelHandle,
    AsyncFlexibleModelHandle,
    AsyncGenerateModelHandle,
    AsyncModelHandle,
    AsyncRerankModelHandle,
)
from stelae.xinference._async.media import (
    AsyncAudioModelHandle,
    AsyncImageModelHandle,
    AsyncVideoModelHandle,
    AsyncWorldModelHandle,
)

__all__ = [
    "AsyncAudioModelHandle",
    "AsyncChatModelHandle",
    "AsyncClient",
    "AsyncEmbeddingModelHandle",
    "AsyncFlexibleModelHandle",
    "AsyncGenerateModelHandle",
    "AsyncImageModelHandle",
    "AsyncModelHandle",
    "AsyncRerankModelHandle",
    "AsyncVideoModelHandle",
    "AsyncWorldModelHandle",
]
