"""Messages of Cohere's embeddings.

Source: the API reference of Cohere (v1 and v2), and the package ``cohere`` 7.3.1.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class CohereType(StrEnum):
    """Number formats of vectors; ``base64`` holds little-endian float32 numbers."""

    FLOAT = "float"
    INT8 = "int8"
    UINT8 = "uint8"
    BINARY = "binary"
    UBINARY = "ubinary"
    BASE64 = "base64"


class CohereTruncate(StrEnum):
    """What to do with a text that is too long."""

    NONE = "NONE"
    START = "START"
    END = "END"


class CohereInput(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to embed.

    Attributes:
        content: Its parts: one text or one picture, as
            ``{"type": "image_url", "image_url": {"url": ...}}``.
    """

    content: list[dict[str, Any]]


class CohereEmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/embed`` and ``/v2/embed`` take; one of texts, images and inputs is given.

    Attributes:
        model: Name of the model; may be left out where only one model can answer.
        texts: Texts.
        images: Pictures, as data URIs.
        inputs: Texts and pictures.
        input_type: What the vectors are for: ``search_query``, ``search_document``,
            ``classification``, ``clustering``, ``image``, or the name of a prompt of the model.
        embedding_types: Number formats; ``float`` by default.
        truncate: What to do with texts that are too long: ``END``, the default, ``START`` or
            ``NONE``, which refuses them.
        output_dimension: Width to cut vectors to; only for models trained for it.
        max_tokens: Most tokens of a text that are read.
    """

    model: str | None = None
    texts: list[str] | None = None
    images: list[str] | None = None
    inputs: list[CohereInput] | None = None
    input_type: str | None = None
    embedding_types: list[CohereType] | None = None
    truncate: CohereTruncate | None = None
    output_dimension: int | None = None
    max_tokens: int | None = None


class CohereUnits(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: tokens of texts, and pictures."""

    input_tokens: int
    images: int


class CohereVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the protocol that was spoken."""

    version: str


class CohereMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know beside the answer."""

    api_version: CohereVersion
    billed_units: CohereUnits
    warnings: list[str] | None


Numbers = list[float]
"""A vector; in the Struct below ``float`` is a field."""


class CohereEmbeddings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Vectors by number format; those asked for."""

    float: list[Numbers] | None = None
    int8: list[list[int]] | None = None
    uint8: list[list[int]] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None
    base64: list[str] | None = None


class CohereEmbedResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``/v1/embed`` and ``/v2/embed`` answer.

    Attributes:
        id: Names the answer.
        response_type: ``embeddings_by_type``, or ``embeddings_floats`` for a request of the first
            version that names no formats.
        embeddings: Vectors by format; for such a request the vectors themselves.
        texts: The texts of the request.
        meta: What there is to know beside.
    """

    id: str
    response_type: str
    embeddings: CohereEmbeddings | list[list[float]]
    texts: list[str]
    meta: CohereMeta
