"""Messages of text-embeddings-inference.

Its servers have one model each, so its clients name none. Here a request may name one in
``model``, or its path does: ``/tei/NAME/embed``.

Source: text-embeddings-inference, ``router/src/http/types.rs`` and ``router/src/lib.rs``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

TokenId = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
TeiInput = str | list[str | TokenId | list[TokenId]]
"""A text, several, the token ids of a text, or of several."""


class TeiSide(StrEnum):
    """Where texts that are too long are cut: ``Right`` drops their ends."""

    LEFT = "Left"
    RIGHT = "Right"
    LOWER_LEFT = "left"
    LOWER_RIGHT = "right"


class TeiCutting(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with texts that are too long, and what stands before them.

    Attributes:
        truncate: Whether they are cut; they are unless it is false.
        truncation_direction: Where.
        prompt_name: One of the model's prompts.
    """

    truncate: bool | None = None
    truncation_direction: TeiSide | None = None
    prompt_name: str | None = None


class TeiEmbedRequest(TeiCutting, frozen=True, kw_only=True):
    """What ``POST /embed``, ``/embed_all`` and ``/embed_sparse`` take.

    Attributes:
        inputs: What is embedded.
        normalize: Whether vectors of ``/embed`` get unit length; they do unless it is false.
        dimensions: Width to cut vectors of ``/embed`` to; only for models trained for it.
        model: (Stelae) Name of the model; may be left out where only one can answer.
    """

    inputs: TeiInput
    normalize: bool | None = None
    dimensions: int | None = None
    model: str | None = None


class TeiWeight(msgspec.Struct, frozen=True, kw_only=True):
    """The weight of a term, by its id."""

    index: int
    value: float


class TeiComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A text and those that it is compared with."""

    source_sentence: str
    sentences: list[str]


class TeiSimilarityRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /similarity`` takes.

    Attributes:
        inputs: What is compared.
        parameters: How it is read.
        model: (Stelae) As in ``TeiEmbedRequest``.
    """

    inputs: TeiComparison
    parameters: TeiCutting | None = None
    model: str | None = None


class TeiPredictRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /predict`` takes.

    Attributes:
        inputs: A text, two texts read together, or a list of lists of one or two.
        truncate: Whether texts that are too long are cut; they are unless it is false.
        raw_scores: Whether scores are plain logits.
        model: (Stelae) As in ``TeiEmbedRequest``.
    """

    inputs: str | list[str | list[str]]
    truncate: bool | None = None
    raw_scores: bool | None = None
    model: str | None = None


class TeiPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """A class and how likely it is."""

    score: float
    label: str


class TeiTokenizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /tokenize`` takes.

    Attributes:
        inputs: A text or several.
        add_special_tokens: Whether special tokens are told too; they are unless it is false.
        prompt_name: One of the model's prompts.
        model: (Stelae) As in ``TeiEmbedRequest``.
    """

    inputs: str | list[str]
    add_special_tokens: bool | None = None
    prompt_name: str | None = None
    model: str | None = None


class TeiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token, and where its text is; special ones have none.

    Attributes:
        id: Its number.
        text: The letters that it stands for, or its name.
        special: Whether it stands for no letters.
        start: Where its letters begin.
        stop: Where they end.
    """

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class TeiDecodeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /decode`` takes.

    Attributes:
        ids: Ids of tokens, or lists of them.
        skip_special_tokens: Whether special tokens are left out; they are unless it is false.
        model: (Stelae) As in ``TeiEmbedRequest``.
    """

    ids: list[TokenId | list[TokenId]]
    skip_special_tokens: bool | None = None
    model: str | None = None


class TeiInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What ``GET /info`` answers.

    Attributes:
        model_id: Name of the model.
        model_sha: Always absent: where a checkpoint comes from is told by ``/v1/models``.
        model_dtype: Number format that it computes in, once loaded.
        model_type: ``embedding`` with its pooling, or ``reranker`` or ``classifier`` with labels.
        max_concurrent_requests: Calls that are taken at once.
        max_input_length: Longest input in tokens.
        max_batch_tokens: Tokens that are run at once.
        max_batch_requests: Not bounded.
        max_client_batch_size: Items of one request.
        auto_truncate: Always true: what is too long is cut unless the request says otherwise.
        tokenization_workers: Always 1.
        version: Of Stelae.
        sha: Always absent.
        docker_label: Always absent.
    """

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: dict[str, Any]
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None
