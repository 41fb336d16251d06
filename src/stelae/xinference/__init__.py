"""Xinference's client under its own names: change the import, keep the code.

    from stelae.xinference import Client            # from xinference.client import Client
    from stelae.xinference.client import Client     # the same, where only a prefix should change

It asks in Xinference's own protocol, so that it does all the unmodified ``xinference-client``
does, with the same arguments, dicts and errors, and asks Xinference's servers as well.
"""

from stelae.xinference._async import (
    AsyncAudioModelHandle,
    AsyncChatModelHandle,
    AsyncClient,
    AsyncEmbeddingModelHandle,
    AsyncFlexibleModelHandle,
    AsyncGenerateModelHandle,
    AsyncImageModelHandle,
    AsyncModelHandle,
    AsyncRerankModelHandle,
    AsyncVideoModelHandle,
    AsyncWorldModelHandle,
)
from stelae.xinference._sync import (
    AudioModelHandle,
    ChatModelHandle,
    Client,
    EmbeddingModelHandle,
    FlexibleModelHandle,
    GenerateModelHandle,
    ImageModelHandle,
    ModelHandle,
    RerankModelHandle,
    VideoModelHandle,
    WorldModelHandle,
)
from stelae.xinference.errors import (
    UnknownModelKind,
    XinferenceConnectionError,
    XinferenceError,
)

RESTfulClient = Client
AsyncRESTfulClient = AsyncClient
"""The same under the names of the ``xinference-client`` package."""

__all__ = [
    "AsyncAudioModelHandle",
    "AsyncChatModelHandle",
    "AsyncClient",
    "AsyncEmbeddingModelHandle",
    "AsyncFlexibleModelHandle",
    "AsyncGenerateModelHandle",
    "AsyncImageModelHandle",
    "AsyncModelHandle",
    "AsyncRESTfulClient",
    "AsyncRerankModelHandle",
    "AsyncVideoModelHandle",
    "AsyncWorldModelHandle",
    "AudioModelHandle",
    "ChatModelHandle",
    "Client",
    "EmbeddingModelHandle",
    "FlexibleModelHandle",
    "GenerateModelHandle",
    "ImageModelHandle",
    "ModelHandle",
    "RESTfulClient",
    "RerankModelHandle",
    "UnknownModelKind",
    "VideoModelHandle",
    "WorldModelHandle",
    "XinferenceConnectionError",
    "XinferenceError",
]
