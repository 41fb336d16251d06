"""Collections, as a part of the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from stelae.client import _collections, _items
from stelae.client._async._backend import AsyncBackend
from stelae.client._async._crew import STREAMS, AnyIterable, async_each
from stelae.client._async._sender import AsyncSender
from stelae.client._collections import Indexed
from stelae.client._items import Chunk, ItemLike, Packer
from stelae.client._options import Progress
from stelae.client._progress import shown
from stelae.types import CollectionInfo, Document, Hit, IndexCall, SearchCall, Truncate

Cut = Truncate | Literal["end", "start", "error"]


class AsyncCollection:
    """One collection of a server; made by ``AsyncClient.collection``.

    Attributes:
        name: Its name.
    """

    def __init__(self, name: str, model: str, sender: AsyncSender, backend: AsyncBackend) -> None:
        self.name = name
        self._model = model
        self._sender = sender
        self._backend = backend

    async def index(
        self,
        items: ItemLike | AnyIterable[ItemLike],
        *,
        model: str | None = None,
        keep_images: bool = False,
        truncate: Cut = "end",
        errors: Literal["raise", "return"] = "raise",
        progress: Progress = False,
        timeout: float | None = None,
        batch_size: int | None = None,
    ) -> Indexed:
        """Keep items with their vectors, in place of those that it has under the same ids.

        Args:
            items: One item, or any iterable of them, as ``encode`` takes them; read no further
                than what is sent. The ``id`` of an item names it, its ``metadata`` (JSON values
                by name) become its tags, and the path of a picture its ``uri``.
            model: Name of the model; the client's own if not given.
            keep_images: Whether the bytes of pictures are kept too.
            truncate: What to do with texts longer than the model reads.
            errors: ``"raise"`` the error of the first failed item, or ``"return"`` all.
            progress: As for ``encode``.
            timeout: Seconds for each request; the client's own if not given.
            batch_size: Most items in one request.

        Returns:
            Names of the items, and what was kept.

        Raises:
            Conflict: The collection is of another model, or there is no room.
            InvalidInput: An item or an option is not one that can be sent.
            StelaeError: As from ``encode``.

        Example:
            >>> async with AsyncClient() as client:
            ...     notes = client.collection("notes")
            ...     kept = await notes.index([{"text": "a text", "metadata": {"pages": 3}}])
            ...     hits = await notes.search("which text?", filter={"pages": {"$lt": 5}})
        """
        cut = Truncate(truncate)
        template = IndexCall(
            collection=self.name,
            items=[],
            model=model or self._model,
            keep_images=keep_images,
            truncate=cut,
        )
        given = _items.sorted_out(items, STREAMS)
        values: Any = [given.item] if isinstance(given, _items.One) else given.items
        total = len(values) if isinstance(values, Sequence) else None
        indexed = Indexed()
        with shown(progress, "index", total) as advance:
            async for chunk in self._chunks(values, batch_size):
                call = _collections.index_call(chunk, template)
                result = await self._sender.ask(partial(self._backend.index, call), timeout)
                indexed.add(chunk, result, raises=errors == "raise")
                advance(len(chunk.items))
        return indexed

    async def search(
        self,
        queries: ItemLike | Sequence[ItemLike],
        *,
        limit: int = 10,
        filter: Mapping[str, Any] | None = None,
        truncate: Cut = "end",
        errors: Literal["raise", "return"] = "raise",
        timeout: float | None = None,
    ) -> list[list[Hit]]:
        """Find the documents that are nearest to each query.

        Args:
            queries: One query or several, as ``encode`` takes items.
            limit: Most documents for each.
            filter: Condition on their tags, as ``{"pages": {"$lt": 5}}``.
            truncate: What to do with queries longer than the model reads.
            errors: ``"raise"`` the error of the first failed query, or ``"return"`` no hits
                for it.
            timeout: Seconds for each request; the client's own if not given.

        Returns:
            For each query its documents, best first.

        Raises:
            NotFound: There is no such collection.
            InvalidInput: A query or the filter cannot be read.
            StelaeError: As from ``encode``.
        """
        cut = Truncate(truncate)
        condition = None if filter is None else dict(filter)
        template = SearchCall(
            collection=self.name, items=[], limit=limit, filter=condition, truncate=cut
        )
        given = _items.sorted_out(queries, STREAMS, "queries")
        values: Any = [given.item] if isinstance(given, _items.One) else given.items
        hits: list[list[Hit]] = []
        async for chunk in self._chunks(values, None):
            call = _collections.search_call(chunk, template)
            result = await self._sender.ask(partial(self._backend.search, call), timeout)
            hits += _collections.found(chunk, result, raises=errors == "raise")
        return hits

    async def update(self, ids: Sequence[str], tags: Sequence[dict[str, Any]]) -> list[bool]:
        """Give documents other tags; says of each whether it is there.

        Raises:
            NotFound: There is no such collection.
        """
        ask = partial(self._backend.update_documents, self.name, list(ids), list(tags))
        return await self._sender.ask(ask, None)

    async def delete(
        self,
        ids: Sequence[str] = (),
        *,
        filter: Mapping[str, Any] | None = None,
    ) -> int:
        """Forget documents by id, and those whose tags meet a condition; returns how many.

        Raises:
            NotFound: There is no such collection.
        """
        condition = None if filter is None else dict(filter)
        ask = partial(self._backend.delete_documents, self.name, list(ids), condition)
        return await self._sender.ask(ask, None)

    async def documents(self, ids: Sequence[str]) -> list[Document]:
        """Documents by id, in order; those that are not there are left out.

        Raises:
            NotFound: There is no such collection.
        """
        return await self._sender.ask(partial(self._backend.documents, self.name, list(ids)), None)

    async def info(self) -> CollectionInfo:
        """How it stands.

        Raises:
            NotFound: There is no such collection.
        """
        return await self._sender.ask(partial(self._backend.collection, self.name), None)

    async def drop(self) -> CollectionInfo:
        """Forget it, and tell how it stood.

        Raises:
            NotFound: There is no such collection.
        """
        return await self._sender.ask(partial(self._backend.drop_collection, self.name), None)

    async def _chunks(
        self, values: AnyIterable[ItemLike], batch_size: int | None
    ) -> AsyncIterator[Chunk]:
        packer = Packer(batch_size)
        async for value in async_each(values):
            if (chunk := packer.add(value)) is not None:
                yield chunk
        if (chunk := packer.rest()) is not None:
            yield chunk


class AsyncCollections:
    """What a client can do with collections."""

    _sender: AsyncSender
    _backend: AsyncBackend
    _model: str

    def collection(self, name: str) -> AsyncCollection:
        """A collection by name; the first ``index`` makes it.

        Args:
            name: Letters, digits, ``.``, ``_`` and ``-``.
        """
        return AsyncCollection(name, self._model, self._sender, self._backend)

    async def collections(self, *, timeout: float | None = None) -> list[CollectionInfo]:
        """How all collections stand, by name."""
        return await self._sender.ask(self._backend.collections, timeout)
