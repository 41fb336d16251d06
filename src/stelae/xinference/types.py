"""What comes back: dicts, as the server writes them. Servers may say more than is named here."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Vector = list[float] | dict[str, float]
"""Numbers, or the weights of tokens where sparse vectors were asked for."""


class EmbeddingUsage(TypedDict):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingData(TypedDict):
    """The vector of one input."""

    index: int
    object: str
    embedding: Vector


class Embedding(TypedDict):
    """Answer of ``create_embedding``."""

    object: Literal["list"]
    model: str
    model_replica: NotRequired[str]
    data: list[EmbeddingData]
    usage: EmbeddingUsage


class RankedDocument(TypedDict):
    """One document of an answer of ``rerank``; the score is from 0 to 1 for cross-encoders."""

    index: int
    relevance_score: float
    document: str | dict[str, Any] | None


class Ranking(TypedDict):
    """Answer of ``rerank``, the best document first."""

    id: str
    results: list[RankedDocument]
    meta: dict[str, Any]


class CompletionUsage(TypedDict):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionChoice(TypedDict):
    """One text."""

    text: str
    index: int
    logprobs: Any
    finish_reason: str | None


class Completion(TypedDict):
    """Answer of ``generate``; its pieces have the same shape."""

    id: str
    object: str
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: NotRequired[CompletionUsage]


CompletionChunk = Completion


class ChatCompletionMessage(TypedDict):
    """What a model says."""

    role: str
    content: str | None
    reasoning_content: NotRequired[str | None]
    tool_calls: NotRequired[list[dict[str, Any]]]


class ChatCompletionChoice(TypedDict):
    """One thing that a model says."""

    index: int
    message: ChatCompletionMessage
    logprobs: NotRequired[Any]
    finish_reason: str | None


class ChatCompletion(TypedDict):
    """Answer of ``chat``."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChatCompletionChoice]
    usage: CompletionUsage


class ChatCompletionChunkChoice(TypedDict):
    """What a piece adds to one answer."""

    index: int
    delta: dict[str, Any]
    logprobs: NotRequired[Any]
    finish_reason: str | None


class ChatCompletionChunk(TypedDict):
    """A piece of an answer of ``chat``."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChatCompletionChunkChoice]
    usage: NotRequired[CompletionUsage | None]


class Image(TypedDict):
    """A picture: where it is, or its file in base64."""

    url: str | None
    b64_json: str | None


class ImageList(TypedDict):
    """Answer of the handle for images."""

    created: int
    data: list[Image]


VideoList = ImageList
"""Answer of the handles for videos and worlds, in the same shape."""


class AudioEmbedding(TypedDict):
    """The vector of a voice."""

    object: str
    model: str
    dimensions: int
    embedding: list[float]


__all__ = [
    "AudioEmbedding",
    "ChatCompletion",
    "ChatCompletionChoice",
    "ChatCompletionChunk",
    "ChatCompletionChunkChoice",
    "ChatCompletionMessage",
    "Completion",
    "CompletionChoice",
    "CompletionChunk",
    "CompletionUsage",
    "Embedding",
    "EmbeddingData",
    "EmbeddingUsage",
    "Image",
    "ImageList",
    "RankedDocument",
    "Ranking",
    "Vector",
    "VideoList",
]
