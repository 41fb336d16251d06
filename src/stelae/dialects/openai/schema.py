"""Messages of the OpenAI embeddings and models API.

Unknown fields are ignored and an explicit ``null`` means the default, because
the clients of this protocol send both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from stelae.types import ModelInfo, Truncate

TokenId = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class EncodingFormat(StrEnum):
    """How vectors are written."""

    FLOAT = "float"
    BASE64 = "base64"


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/embeddings`` takes.

    Attributes:
        model: Name of the model.
        input: A text, several texts, the token ids of a text, or of several.
            Ids are those of this model's own tokenizer.
        encoding_format: ``base64`` holds little-endian float32 numbers.
        dimensions: Width to cut vectors to; only for models trained for it.
        truncate: (Stelae) What to do with a text that is too long: ``end``, the
            default, ``start`` or ``error``.
        user: Accepted and not used.
    """

    model: str
    input: str | list[str | TokenId | list[TokenId]]
    encoding_format: EncodingFormat | None = None
    dimensions: int | None = None
    truncate: Truncate | None = None
    user: str | None = None


class EmbeddingUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were run."""

    prompt_tokens: int
    total_tokens: int


class Embedding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One vector.

    Attributes:
        object: Always ``embedding``.
        index: Place of its text in the request.
        embedding: The numbers, or base64 of them as little-endian float32.
        truncated: (Stelae) Present and true if the text was cut.
    """

    object: str
    index: int
    embedding: list[float] | str
    truncated: bool = False


class EmbeddingResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/embeddings`` answers."""

    object: str
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Model(ModelInfo, frozen=True, kw_only=True):
    """A model as this protocol lists it, with what Stelae knows of it beside.

    Attributes:
        id: The name to ask for.
        created: Unix time at which this server learnt of it.
        object: Always ``model``.
        owned_by: Always ``stelae``.
    """

    id: str
    created: int
    object: str
    owned_by: str


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """What ``GET /v1/models`` answers."""

    object: str
    data: list[Model]
