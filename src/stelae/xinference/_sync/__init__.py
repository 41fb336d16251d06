# Generated from src/stelae/xinference/_async/__init__.py by tools/unasync.py: do not edit.
"""The client with ``await``; the one without is made of it by ``tools/unasync.py``."""

from stelae.xinference._sync.client import Client
from stelae.xinference._sync.handles import (
    ChatModelHandle,
    EmbeddingModelHandle,
    FlexibleModelHandle,
    GenerateModelHandle,
    ModelHandle,
    RerankModelHandle,
)
from stelae.xinference._sync.media import (
    AudioModelHandle,
    ImageModelHandle,
    VideoModelHandle,
    WorldModelHandle,
)

__all__ = [
    "AudioModelHandle",
    "ChatModelHandle",
    "Client",
    "EmbeddingModelHandle",
    "FlexibleModelHandle",
    "GenerateModelHandle",
    "ImageModelHandle",
    "ModelHandle",
    "RerankModelHandle",
    "VideoModelHandle",
    "WorldModelHandle",
]
