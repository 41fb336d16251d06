"""The handles under the module that Xinference has them in."""

from stelae.xinference import (
    AsyncAudioModelHandle,
    AsyncChatModelHandle,
    AsyncEmbeddingModelHandle,
    AsyncGenerateModelHandle,
    AsyncImageModelHandle,
    AsyncVideoModelHandle,
    AudioModelHandle,
    ChatModelHandle,
    EmbeddingModelHandle,
    GenerateModelHandle,
    ImageModelHandle,
    VideoModelHandle,
)

__all__ = [
    "AsyncAudioModelHandle",
    "AsyncChatModelHandle",
    "AsyncEmbeddingModelHandle",
    "AsyncGenerateModelHandle",
    "AsyncImageModelHandle",
    "AsyncVideoModelHandle",
    "AudioModelHandle",
    "ChatModelHandle",
    "EmbeddingModelHandle",
    "GenerateModelHandle",
    "ImageModelHandle",
    "VideoModelHandle",
]
