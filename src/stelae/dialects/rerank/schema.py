"""Messages of reranking: one request that holds what each protocol's clients send.

Unknown fields are ignored and an explicit ``null`` means the default, because these clients send
both. What a client sends, and what it leaves out, tells which protocol it speaks.

Source: the API references of Cohere (v1 and v2), Jina and Voyage, the packages ``cohere`` 7.3.1 and
``voyageai`` 0.5.0, and the routes of text-embeddings-inference (``router/src/http/types.rs``).
"""

from __future__ import annotations

from typing import Any

import msgspec

Piece = str | dict[str, Any]
"""A text, or an object that holds one or a picture."""

Sent = msgspec.UnsetType


class RerankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/rerank``, ``/v2/rerank`` and ``/rerank`` take.

    Attributes:
        model: Name of the model; may be left out where only one model can answer.
        query: What is looked for: a text, or ``{"text": ...}`` or ``{"image": ...}``.
        documents: What is ranked, each as the query is; of other objects ``rank_fields`` are read.
        texts: What is ranked, as TEI's clients name it.
        top_n: How many are told, best first; all of them by default.
        top_k: The same as Voyage's clients name it.
        return_documents: Whether documents are told again.
        return_text: The same as TEI's clients name it.
        rank_fields: Fields of documents that are read, in this order; ``text`` by default.
        truncation: Whether texts that are too long are cut (Voyage); they are unless it is false.
        truncate: The same as TEI's clients name it.
        raw_scores: Whether scores are the plain logits of the model, not numbers from 0 to 1.
        instruction: The task in words, for models trained with instructions.
        max_chunks_per_doc: Not heeded: a document is read as one; see ``meta.warnings``.
        max_tokens_per_doc: Heeded only as far as the model's own limit; see ``meta.warnings``.
        relevant_spans: Refused.
        return_embeddings: Refused.
    """

    query: Piece
    model: str | None = None
    documents: list[Piece] | None = None
    texts: list[str] | None = None
    top_n: int | None = None
    top_k: int | Sent | None = msgspec.UNSET
    return_documents: bool | None = None
    return_text: bool | None = None
    rank_fields: list[str] | None = None
    truncation: bool | Sent | None = msgspec.UNSET
    truncate: bool | None = None
    raw_scores: bool | None = None
    instruction: str | None = None
    max_chunks_per_doc: int | None = None
    max_tokens_per_doc: int | None = None
    relevant_spans: Any = None
    return_embeddings: bool | None = None


class Ranked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document and how well it fits.

    Attributes:
        index: Its place in the request.
        relevance_score: How well it fits; from 0 to 1 for models that read pairs.
        document: The document: as it was sent, ``{"text": ...}`` or ``null``.
    """

    index: int
    relevance_score: float
    document: Piece | Sent | None = msgspec.UNSET


class RerankTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were read; none are written."""

    input_tokens: int
    output_tokens: int = 0


class RerankUnits(msgspec.Struct, frozen=True, kw_only=True):
    """Searches, as Cohere counts them: one for each hundred documents begun."""

    search_units: int


class RerankVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the protocol that was spoken."""

    version: str


class RerankMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know beside the answer.

    Attributes:
        api_version: The version of the protocol.
        billed_units: What was asked for.
        tokens: What was read.
        warnings: What of the request was not heeded.
    """

    api_version: RerankVersion
    billed_units: RerankUnits
    tokens: RerankTokens
    warnings: list[str] | None


class RerankUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were read."""

    total_tokens: int
    prompt_tokens: int


class RerankResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What Cohere's, Jina's and Xinference's clients are answered.

    Attributes:
        id: Names the answer.
        model: Name of the model, as it was asked for.
        results: Best first.
        usage: Tokens that were read, as Jina's clients read it.
        meta: The same as Cohere's and Xinference's do.
    """

    id: str
    model: str
    results: list[Ranked]
    usage: RerankUsage
    meta: RerankMeta


class VoyageRanked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document and how well it fits, which is a plain string here."""

    index: int
    relevance_score: float
    document: str | Sent = msgspec.UNSET


class VoyageRerankResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What Voyage's clients are answered."""

    object: str
    data: list[VoyageRanked]
    model: str
    usage: RerankUsage


class TeiRanked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text and how well it fits; TEI's clients are answered with a list of these."""

    index: int
    score: float
    text: str | Sent = msgspec.UNSET
