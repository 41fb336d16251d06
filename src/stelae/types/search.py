"""Collections: documents kept with their vectors, and the nearest of them found again."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.errors import ErrorInfo
from stelae.types.enums import Truncate
from stelae.types.item import Item
from stelae.types.lazy import np
from stelae.types.usage import Timing, Usage


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a collection keeps of one thing, beside its vector.

    Attributes:
        id: Its name in the collection.
        text: The text, if it is one.
        uri: Where it comes from, as the caller wrote it; never fetched.
        tags: Anything, JSON values by name; filters compare these.
        image: The bytes of the picture, if the caller wants them kept.
    """

    id: str
    text: str | None = None
    uri: str | None = None
    tags: dict[str, Any] = {}
    image: bytes | None = None


class IndexCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Keep things in a collection, in place of those that it has under the same ids.

    Attributes:
        collection: Its name: letters, digits, ``.``, ``_`` and ``-``; made if need be.
        items: What to keep, in order; those without an ``id`` get one.
        model: Name of the model that makes the vectors; ``None`` for the one that the
            collection was made with.
        tags: Of each item JSON values by name, in order; ``None`` for none.
        uris: Where the items come from, in order; ``None`` if nowhere. They are kept and never
            fetched.
        keep_images: Whether the bytes of pictures are kept too.
        truncate: What to do with items that are too long.
    """

    collection: str
    items: list[Item]
    model: str | None = None
    tags: list[dict[str, Any]] | None = None
    uris: list[str | None] | None = None
    keep_images: bool = False
    truncate: Truncate = Truncate.END


class IndexResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was kept.

    Attributes:
        collection: Its name.
        model: Name of the model that ran.
        ids: Names of the items, in the order given.
        vectors: As the model made them, shape ``(N, D)``; the row of an item that failed
            is NaN. Left out of answers over HTTP.
        size: Documents in the collection afterwards.
        truncated: Whether an item was cut, shape ``(N,)``.
        errors: What went wrong, by item index; such items are not kept.
        usage: Tokens run in all.
        timing: Where the time went.
    """

    collection: str
    model: str
    ids: list[str]
    size: int
    truncated: np.typing.NDArray[np.bool_]
    vectors: np.typing.NDArray[Any] | None = None
    errors: dict[int, ErrorInfo] = {}
    usage: Usage = Usage()
    timing: Timing = Timing()


class SearchCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Find the documents of a collection that are nearest to each query.

    Attributes:
        collection: Its name.
        items: The queries, in order.
        limit: Most documents for each.
        filter: Condition on the tags, as ``{"price": {"$lt": 10}}``; ``None`` for all.
        truncate: What to do with queries that are too long.
    """

    collection: str
    items: list[Item]
    limit: int = 10
    filter: dict[str, Any] | None = None
    truncate: Truncate = Truncate.END


class Hit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document that was found.

    Attributes:
        document: As it was kept.
        score: Cosine between its vector and the query's, -1 to 1; the higher the nearer.
    """

    document: Document
    score: float


class SearchResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was found.

    Attributes:
        collection: Its name.
        model: Name of the model that ran.
        hits: For each query the nearest documents, best first.
        vectors: Of the queries, shape ``(N, D)``; the row of one that failed is NaN. Left
            out of answers over HTTP.
        truncated: Whether a query was cut, shape ``(N,)``.
        errors: What went wrong, by query index; such queries have no hits.
        usage: Tokens run in all.
        timing: Where the time went.
    """

    collection: str
    model: str
    hits: list[list[Hit]]
    truncated: np.typing.NDArray[np.bool_]
    vectors: np.typing.NDArray[Any] | None = None
    errors: dict[int, ErrorInfo] = {}
    usage: Usage = Usage()
    timing: Timing = Timing()


class CollectionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A collection.

    Attributes:
        name: Its name.
        model: The model that makes its vectors.
        fingerprint: Identifies that model's weights and options; vectors of another are
            not taken.
        dimensions: Width of its vectors.
        size: Documents in it.
        bytes: What it takes on disk.
        created: Unix time.
    """

    name: str
    model: str
    fingerprint: str
    dimensions: int
    size: int
    bytes: int
    created: float
