"""Collections over the models: items in, vectors made, kept and searched."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, ParamSpec, TypeVar

import numpy as np

from stelae.collections.collection import Collection
from stelae.collections.documents import new_facts
from stelae.collections.shelf import Shelf
from stelae.errors import InvalidInput, StelaeError
from stelae.service.inference import Caller, Inference
from stelae.types import (
    CollectionInfo,
    Document,
    EncodeCall,
    EncodeResult,
    IndexCall,
    IndexResult,
    Item,
    Matrix,
    Role,
    SearchCall,
    SearchResult,
    Truncate,
)

P = ParamSpec("P")
T = TypeVar("T")

MOST_HITS = 10_000
"""Largest limit of a search."""


class Search:
    """Keeps items in collections, and finds the nearest.

    Args:
        shelf: The collections.
        inference: Makes vectors.
    """

    def __init__(self, shelf: Shelf, inference: Inference) -> None:
        self._shelf = shelf
        self._inference = inference

    async def index(self, call: IndexCall, caller: Caller) -> IndexResult:
        """Make the vectors of items and keep both.

        Raises:
            InvalidInput: The call is wrong as a whole.
            NotFound: No model is named, and there is no such collection.
            Conflict: The collection is of another model, or there is no room.
            StelaeError: As for ``Inference.encode``.
        """
        for name in ("tags", "uris"):
            given = getattr(call, name)
            if given is not None and len(given) != len(call.items):
                raise InvalidInput(f"{len(given)} {name} for {len(call.items)} items", param=name)
        model = call.model or (await self._get(call.collection)).facts.model
        result = await self._encode(model, call.items, Role.DOCUMENT, call.truncate, caller)
        vectors = _dense(result)
        documents = _documents(call)
        good = [index for index in range(len(documents)) if index not in result.errors]
        facts = new_facts(result.model, result.fingerprint, vectors.shape[1])
        collection = await self._ask(self._shelf.made, call.collection, facts)
        kept = [documents[index] for index in good]
        size = await self._ask(collection.put, kept, vectors[good])
        return IndexResult(
            collection=call.collection,
            model=result.model,
            ids=[document.id for document in documents],
            size=size,
            vectors=vectors,
            truncated=result.truncated,
            errors=result.errors,
            usage=result.usage,
            timing=result.timing,
        )

    async def search(self, call: SearchCall, caller: Caller) -> SearchResult:
        """Find the documents nearest to each query.

        Raises:
            InvalidInput: The call is wrong as a whole, or its filter cannot be read.
            NotFound: No such collection.
            Conflict: Its model has changed since.
            StelaeError: As for ``Inference.encode``.
        """
        _check_limit(call.limit)
        collection = await self._get(call.collection)
        model = collection.facts.model
        result = await self._encode(model, call.items, Role.QUERY, call.truncate, caller)
        vectors = _dense(result)
        collection.check(result.fingerprint, vectors.shape[1])
        good = [index for index in range(len(vectors)) if index not in result.errors]
        found = await self._ask(collection.search, vectors[good], call.limit, call.filter)
        hits = dict(zip(good, found, strict=True))
        return SearchResult(
            collection=call.collection,
            model=result.model,
            hits=[hits.get(index, []) for index in range(len(vectors))],
            vectors=vectors,
            truncated=result.truncated,
            errors=result.errors,
            usage=result.usage,
            timing=result.timing,
        )

    async def update(
        self, name: str, ids: Sequence[str], tags: Sequence[dict[str, Any]]
    ) -> list[bool]:
        """Give documents other tags; says of each whether it is there.

        Raises:
            NotFound: No such collection.
            InvalidInput: There are not as many tags as ids.
        """
        if len(ids) != len(tags):
            raise InvalidInput(f"{len(tags)} tags for {len(ids)} ids", param="tags")
        return await self._ask((await self._get(name)).change, ids, tags)

    async def delete(
        self, name: str, ids: Sequence[str], condition: Mapping[str, Any] | None = None
    ) -> int:
        """Forget documents by id, and those whose tags meet a condition; returns how many.

        Raises:
            NotFound: No such collection.
            InvalidInput: The condition cannot be read.
        """
        return await self._ask((await self._get(name)).drop, ids, condition)

    async def documents(self, name: str, ids: Sequence[str]) -> list[Document]:
        """Documents by id; those that are not there are left out.

        Raises:
            NotFound: No such collection.
        """
        return await self._ask((await self._get(name)).get, ids)

    async def find(
        self, name: str, condition: Mapping[str, Any], limit: int, start: int = 0
    ) -> list[Document]:
        """Documents whose tags meet a condition, in the order in which they were kept.

        Raises:
            NotFound: No such collection.
            InvalidInput: The condition cannot be read, or the limit is out of bounds.
        """
        _check_limit(limit)
        return await self._ask((await self._get(name)).find, condition, limit, start)

    async def collection(self, name: str) -> CollectionInfo:
        """How a collection stands.

        Raises:
            NotFound: No such collection.
        """
        return await self._ask((await self._get(name)).info)

    async def collections(self) -> list[CollectionInfo]:
        """How all collections stand, by name."""
        return await self._ask(self._shelf.infos)

    async def drop(self, name: str) -> CollectionInfo:
        """Forget a whole collection, and tell how it stood.

        Raises:
            NotFound: No such collection.
        """
        return await self._ask(self._shelf.delete, name)

    async def stop(self) -> None:
        """Save what is open."""
        await asyncio.to_thread(self._shelf.close)

    async def _get(self, name: str) -> Collection:
        return await self._ask(self._shelf.get, name)

    async def _ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks; once begun it ends, whether or not the caller stays."""
        return await asyncio.shield(asyncio.to_thread(function, *args, **kwargs))

    async def _encode(
        self, model: str, items: list[Item], role: Role, truncate: Truncate, caller: Caller
    ) -> EncodeResult:
        # Vectors as the model makes them: callers get these, and directions are compared.
        call = EncodeCall(model=model, items=items, role=role, truncate=truncate, normalize=False)
        return await self._inference.encode(call, caller)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST_HITS:
        raise InvalidInput(f"limit={limit}: 1 to {MOST_HITS} was expected", param="limit")


def _dense(result: EncodeResult) -> Matrix:
    if result.dense is None:
        raise StelaeError(f"the profile of {result.model} gives no dense vectors to compare")
    return result.dense.astype(np.float32, copy=False)


def _documents(call: IndexCall) -> list[Document]:
    uris: Iterable[str | None] = call.uris or repeat(None)
    tags: Iterable[dict[str, Any]] = call.tags or repeat({})
    return [
        Document(
            id=item.id or secrets.token_hex(16),
            text=item.text,
            uri=uri,
            tags=some,
            image=item.image if call.keep_images else None,
        )
        for item, uri, some in zip(call.items, uris, tags, strict=False)
    ]
