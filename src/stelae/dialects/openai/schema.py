"""Messages of the OpenAI embeddings and models API.

Unknown fields are ignored and an explicit ``null`` means the default, because
the clients of this protocol send both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from stelae.dialects.codes import Code
from stelae.dialects.listing import ListedModel
from stelae.types import Truncate

TokenId = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class EncodingFormat(StrEnum):
    """How vectors are written."""

    FLOAT = "float"
    BASE64 = "base64"


class EmbeddingType(StrEnum):
    """Number formats of vectors, as Jina's clients name them."""

    FLOAT = "float"
    BASE64 = "base64"
    BINARY = "binary"
    UBINARY = "ubinary"


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/embeddings`` takes.

    Attributes:
        model: Name of the model.
        input: A text, several texts, the token ids of a text, or of several.
            Ids are those of this model's own tokenizer. A text, a picture or a recording may be
            told by an object, ``{"text": ...}``, ``{"image": ...}`` or ``{"audio": ...}``: files
            as base64, data URIs, or ``http(s)`` addresses that the server may fetch.
        encoding_format: ``base64`` holds little-endian float32 numbers.
        dimensions: Width to cut vectors to; only for models trained for it.
        truncate: (Stelae) What to do with a text that is too long: ``end``, the
            default, ``start`` or ``error``. (Jina) Whether it is cut, not refused.
        truncate_prompt_tokens: Most tokens of a text, special ones included; as many as the model
            reads if negative.
        normalize_embedding: Whether vectors get unit length; as the model says if absent.
        return_sparse: Whether weights of terms are told in place of vectors, by the ids of their
            tokens; for models that make them.
        task: (Jina) What the vectors are for: ``retrieval.query``, ``retrieval.passage``, or the
            name of a prompt of the model.
        embedding_type: (Jina) Number format, ``base64`` for the bytes of float32 numbers.
        normalized: (Jina) As ``normalize_embedding``.
        late_chunking: (Jina) Refused if true.
        input_type: (Voyage) As ``task``: ``query`` or ``document``.
        output_dimension: (Voyage) As ``dimensions``.
        output_dtype: (Voyage) Number format.
        truncation: (Voyage) Whether texts that are too long are cut; else they are refused.
        user: Accepted and not used.
    """

    model: str
    input: str | list[str | TokenId | list[TokenId] | dict[str, Any]] | dict[str, Any]
    encoding_format: EncodingFormat | None = None
    dimensions: int | None = None
    truncate: Truncate | bool | None = None
    truncate_prompt_tokens: int | None = None
    normalize_embedding: bool | None = None
    return_sparse: bool | None = None
    task: str | None = None
    embedding_type: EmbeddingType | None = None
    normalized: bool | None = None
    late_chunking: bool | None = None
    input_type: str | None = None
    output_dimension: int | None = None
    output_dtype: Code | None = None
    truncation: bool | None = None
    user: str | None = None


class EmbeddingUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were run."""

    prompt_tokens: int
    total_tokens: int


class Embedding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One vector.

    Attributes:
        object: ``embedding``, or ``sparse_embedding`` for weights of terms.
        index: Place of its text in the request.
        embedding: The numbers, or base64 of them, float32 as little-endian; or weights by the ids
            of tokens.
        truncated: (Stelae) Present and true if the text was cut.
    """

    object: str
    index: int
    embedding: list[float] | str | dict[str, float]
    truncated: bool = False


class EmbeddingResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/embeddings`` answers.

    Attributes:
        object: Always ``list``.
        data: One entry for each text.
        model: The name that was asked for.
        model_replica: (Xinference) Which of its replicas answered, as ``bge-m3-rep0``.
        usage: Tokens that were run.
    """

    object: str
    data: list[Embedding]
    model: str
    model_replica: str
    usage: EmbeddingUsage


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """What ``GET /v1/models`` answers."""

    object: str
    data: list[ListedModel]


class FileObject(msgspec.Struct, frozen=True, kw_only=True):
    """A file.

    Attributes:
        id: Its name here.
        object: Always ``file``.
        bytes: Its size.
        created_at: Unix time.
        filename: Its name as the caller has it.
        purpose: What it is for, as the caller says.
        status: Always ``processed``.
    """

    id: str
    object: str
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: str


class FileList(msgspec.Struct, frozen=True, kw_only=True):
    """All files."""

    object: str
    data: list[FileObject]
    has_more: bool


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is no more."""

    id: str
    object: str
    deleted: bool


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/batches`` takes.

    Attributes:
        input_file_id: A file with a request in each line.
        endpoint: What they ask for.
        completion_window: Told back; work begins at once.
        metadata: Told back.
    """

    input_file_id: str
    endpoint: str
    completion_window: str = "24h"
    metadata: dict[str, str] | None = None


class BatchCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests in all, answered, and failed."""

    total: int
    completed: int
    failed: int


class BatchErrors(msgspec.Struct, frozen=True, kw_only=True):
    """Why a batch failed as a whole."""

    object: str
    data: list[dict[str, str]]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch and how far it is; times are Unix times.

    Attributes:
        status: ``validating``, ``in_progress``, ``completed``, ``failed``, ``cancelling`` or
            ``cancelled``.
        output_file_id: The file with the answers, once it is over.
        error_file_id: The file with the answers of requests that failed.
    """

    id: str
    object: str
    endpoint: str
    errors: BatchErrors | None
    input_file_id: str
    completion_window: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    completed_at: int | None
    failed_at: int | None
    cancelled_at: int | None
    request_counts: BatchCounts
    metadata: dict[str, str] | None


class BatchList(msgspec.Struct, frozen=True, kw_only=True):
    """All batches."""

    object: str
    data: list[Batch]
    has_more: bool
