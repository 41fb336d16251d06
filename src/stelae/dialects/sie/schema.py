"""Messages of the SIE API that come in; unknown fields are ignored, as the SDK grows."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from stelae.types import EmbeddingDtype, OutputType

Unread = msgspec.Raw | msgspec.UnsetType
"""A part that is not used, and therefore not read either."""

MOST_ITEMS = 131_072
"""Items of one request at most; more are refused before anything is made of them."""


class ImageIn(msgspec.Struct, frozen=True, kw_only=True):
    """A picture.

    Attributes:
        data: The bytes of its file; in JSON base64, or a data URI.
        format: What the caller takes it for; the bytes decide.
    """

    data: Any
    format: str | None = None


class ItemIn(msgspec.Struct, frozen=True, kw_only=True):
    """An item.

    Attributes:
        id: The caller's name for it.
        text: A text.
        images: Pictures.
        multivector: Token vectors made before, as an array; for ``score``.
        audio: Sound; no model here takes it yet.
        document: A document; no model here takes it yet.
        video: A film; no model here takes it yet.
        metadata: Anything; not sent back.
    """

    id: str | None = None
    text: str | None = None
    images: list[ImageIn] | None = None
    multivector: Any = None
    audio: Unread = msgspec.UNSET
    document: Unread = msgspec.UNSET
    video: Unread = msgspec.UNSET
    metadata: Unread = msgspec.UNSET


Items = Annotated[list[ItemIn], msgspec.Meta(max_length=MOST_ITEMS)]


class EncodeParams(msgspec.Struct, frozen=True, kw_only=True):
    """How to encode.

    Attributes:
        output_types: Kinds of representation.
        instruction: The task in words.
        output_dtype: Number format of the answer.
        options: What the model is told beside; see the guide.
    """

    output_types: list[OutputType] | None = None
    instruction: str | None = None
    output_dtype: EmbeddingDtype | None = None
    options: dict[str, Any] | None = None


class EncodeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/encode/{model}`` takes.

    Attributes:
        items: What to encode; at least one.
        params: How.
    """

    items: Items
    params: EncodeParams | None = None


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/score/{model}`` takes.

    Attributes:
        query: What is looked for.
        items: What is scored; at least one.
        instruction: The task in words.
        options: What the model is told beside.
    """

    query: ItemIn
    items: Items
    instruction: str | None = None
    options: dict[str, Any] | None = None


class ExtractParams(msgspec.Struct, frozen=True, kw_only=True):
    """What to extract.

    Attributes:
        labels: What to look for.
        output_schema: JSON Schema of the fields wanted.
        instruction: The task in words.
        options: What the model is told beside.
    """

    labels: list[str] | None = None
    output_schema: dict[str, Any] | None = None
    instruction: str | None = None
    options: dict[str, Any] | None = None


class ExtractRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/extract/{model}`` takes.

    Attributes:
        items: What to look into; at least one.
        params: What for.
    """

    items: Items
    params: ExtractParams | None = None


class ModelError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a model could not be loaded.

    Attributes:
        code: SIE's word for it, such as ``GATED``, ``NOT_FOUND`` or ``CONFIG``.
        message: The same in a sentence.
        attempts: Loads that failed.
        permanent: Whether another attempt alone will not help.
    """

    code: str
    message: str
    attempts: int
    permanent: bool


class SieModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the SDK lists it.

    Attributes:
        name: The name to ask for.
        loaded: Whether it is in memory.
        state: ``available``, ``loading``, ``loaded``, ``unloading`` or ``failed``.
        last_error: Why it could not be loaded.
        inputs: What it reads.
        outputs: What it makes: ``dense``, ``sparse``, ``multivector``, ``score``, ``json``.
        dims: Width of each output that has one.
        max_sequence_length: Longest input in tokens.
        profiles: Named sets of options.
        revision: Commit of its checkpoint, where known.
        capabilities: What it does beside; ``null`` for models of vectors.
        routing: Always the same: no policy, and answered here.
        aliases: Other names that reach it.
    """

    name: str
    loaded: bool
    state: str
    last_error: ModelError | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dims: dict[str, int]
    max_sequence_length: int | None
    profiles: dict[str, dict[str, bool]]
    revision: str | None
    capabilities: dict[str, Any] | None
    routing: dict[str, str | None]
    aliases: tuple[str, ...]


class SieModelDetail(SieModel, frozen=True, kw_only=True):
    """One model, with what OpenAI's protocol says of models beside."""

    id: str
    object: str
    created: int
    owned_by: str


class SieModels(msgspec.Struct, frozen=True, kw_only=True):
    """Every model, for the SDK and for OpenAI's client.

    Attributes:
        models: As the SDK lists them.
        object: Always ``list``.
        data: As OpenAI's client lists them.
    """

    models: list[SieModel]
    object: str
    data: list[dict[str, Any]]


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a request to write a text.

    Attributes:
        model: Name of the model.
    """

    model: str


class JobRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/jobs`` takes.

    Attributes:
        operation: What to do: ``encode``.
        model: Name of the model.
        items: What to do it to.
        output_types: Kinds of representation.
        options: What the model is told beside.
        src: Items that lie elsewhere; not taken here.
    """

    operation: str
    model: str
    items: list[ItemIn] | None = None
    output_types: list[OutputType] | None = None
    options: dict[str, Any] | None = None
    src: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job and how far it is; times are Unix times.

    Attributes:
        state: ``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``; failed if
            not one item was encoded.
        outcome: ``partial`` if some items failed and others did not.
        failed_items: Items that failed, once it is over; their chunks say why.
        error_code: Why it failed, or the first item of it.
        error: The same in a sentence; told of the first item that failed as well.
        output: Its ``chunks``, each with the address (``ref``) of its results.
    """

    id: str
    object: str
    operation: str
    model: str
    state: str
    outcome: str | None
    total_items: int
    completed_items: int
    failed_items: int
    created_at: float
    finished_at: float | None
    error_code: str | None
    error: str | None
    output: dict[str, Any]


class Jobs(msgspec.Struct, frozen=True, kw_only=True):
    """All jobs."""

    object: str
    data: list[Job]
