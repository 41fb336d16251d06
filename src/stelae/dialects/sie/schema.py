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


class SieGrammar(msgspec.Struct, frozen=True, kw_only=True):
    """The form that a text must have; exactly one is given.

    Attributes:
        json_schema: JSON that fits a JSON Schema.
        regex: A regular expression that the whole text matches.
        ebnf: A grammar.
        label: Passed over: the caller's name for it.
        strict: Passed over: the form is always kept.
    """

    json_schema: dict[str, Any] | None = None
    regex: str | None = None
    ebnf: str | None = None
    label: str | None = None
    strict: bool | None = None


class SieImage(msgspec.Struct, frozen=True, kw_only=True):
    """A picture beside a prompt: the bytes of its file as base64, and what kind it is."""

    data: str
    format: str = "jpeg"


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/generate/{model}`` takes.

    Attributes:
        prompt: Gone on with as it stands; with pictures, it is what a user says in a chat.
        max_new_tokens: Longest text in tokens.
        images: Pictures, for models that see.
        temperature: 0 takes the likeliest token each time.
        top_p: Keep the likeliest tokens that together reach this probability.
        stop: Texts at which the text ends.
        frequency_penalty: Taken off scores of tokens for each time they stand in the text.
        presence_penalty: The same once.
        grammar: The form that the text must have.
        seed: Makes choices repeatable.
        logit_bias: Added to scores of tokens, by id.
        options: Further options of sampling, as ``top_k``; those above count more.
        lora_adapter: One of the model's adapters.
        stream: Whether the text is told as events.
        logprobs: Whether log-probabilities are told; of events only.
        top_logprobs: Likeliest tokens told beside each.
    """

    prompt: str
    max_new_tokens: int
    images: list[SieImage] = []
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    grammar: SieGrammar | None = None
    seed: int | None = None
    logit_bias: dict[str, float] | None = None
    options: dict[str, Any] | None = None
    lora_adapter: str | None = None
    stream: bool = False
    logprobs: bool = False
    top_logprobs: int | None = None


class GenerateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A text.

    Attributes:
        model: The name that was asked for.
        text: What was written.
        finish_reason: ``stop`` or ``length``.
        usage: Its tokens.
        attempt_id: The request's id.
        ttft_ms: Milliseconds until the first piece.
        tpot_ms: Milliseconds for each further token.
    """

    model: str
    text: str
    finish_reason: str
    usage: dict[str, Any]
    attempt_id: str
    ttft_ms: float
    tpot_ms: float | None


class GenerateChunk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of a text, in an event; the last one is ``done``.

    Attributes:
        request_id: The request's id.
        seq: Its number, from 0.
        text_delta: More of the text.
        done: Whether it is the last.
        logprobs: Log-probabilities of its tokens.
        finish_reason: ``stop``, ``length`` or ``error``, with the last.
        usage: Tokens of the whole text, with the last.
        ttft_ms: Milliseconds until the first piece, with the last.
        error: Why the text broke off.
    """

    request_id: str
    seq: int
    text_delta: str
    done: bool
    logprobs: list[dict[str, Any]] = []
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    ttft_ms: float | None = None
    error: dict[str, Any] | None = None


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
