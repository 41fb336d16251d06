# Generated from src/stelae/client/_async/_collections.py by tools/unasync.py: do not edit.
"""Collections, as a part of the client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from stelae.client import _collections, _items
from stelae.client._sync._backend import Backend
from stelae.client._sync._crew import STREAMS, AnyIterable, each
from stelae.client._sync._sender import Sender
from stelae.client._collections import Indexed
from stelae.client._items import Chunk, ItemLike, Packer
from stelae.client._options import Progress
from stelae.client._progress import shown
from stelae.types import CollectionInfo, Document, Hit, IndexCall, SearchCall, Truncate

Cut = Truncate | Literal["end", "start", "error"]


class Collection:
    """One collection of a server; made by ``Client.collection``.

    Attributes:
        name: Its name.
    """

    def __init__(self, name: str, model: str, sender: Sender, backend: Backend) -> None:
        self.name = name
        self._model = model
        self._sender = sender
        self._backend = backend

    def index(
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
            >>> with Client() as client:
            ...     notes = client.collection("notes")
            ...     kept = notes.index([{"text": "a text", "metadata": {"pages": 3}}])
            ...     hits = notes.search("which text?", filter={"pages": {"$lt": 5}})
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
            for chunk in self._chunks(values, batch_size):
                call = _collections.index_call(chunk, template)
                result = self._sender.ask(partial(self._backend.index, call), timeout)
                indexed.add(chunk, result, raises=errors == "raise")
                advance(len(chunk.items))
        return indexed

    def search(
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
        for chunk in self._chunks(values, None):
            call = _collections.search_call(chunk, template)
            result = self._sender.ask(partial(self._backend.search, call), timeout)
            hits += _collections.found(chunk, result, raises=errors == "raise")
        return hits

    def update(self, ids: Sequence[str], tags: Sequence[dict[str, Any]]) -> list[bool]:
        """Give documents other tags; says of each whether it is there.

        Raises:
            NotFound: There is no such collection.
        """
        ask = partial(self._backend.update_documents, self.name, list(ids), list(tags))
        return self._sender.ask(ask, None)

    def delete(
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
        return self._sender.ask(ask, None)

    def documents(self, ids: Sequence[str]) -> list[Document]:
        """Documents by id, in order; those that are not there are left out.

        Raises:
            NotFound: There is no such collection.
        """
        return self._sender.ask(partial(self._backend.documents, self.name, list(ids)), None)

    def info(self) -> CollectionInfo:
        """How it stands.

        Raises:
            NotFound: There is no such collection.
        """
        return self._sender.ask(partial(self._backend.collection, self.name), None)

    def drop(self) -> CollectionInfo:
        """Forget it, and tell how it stood.

        Raises:
            NotFound: There is no such collection.
        """
        return self._sender.ask(partial(self._backend.drop_collection, self.name), None)

    def _chunks(
        self, values: AnyIterable[ItemLike], batch_size: int | None
    ) -> Iterator[Chunk]:
        packer = Packer(batch_size)
        for value in each(values):
            if (chunk := packer.add(value)) is not None:
                yield chunk
        if (chunk := packer.rest()) is not None:
            yield chunk


class Collections:
    """What a client can do with collections."""

    _sender: Sender
    _backend: Backend
    _model: str

    def collection(self, name: str) -> Collection:
        """A collection by name; the first ``index`` makes it.

        Args:
            name: Letters, digits, ``.``, ``_`` and ``-``.
        """
        return Collection(name, self._model, self._sender, self._backend)

    def collections(self, *, timeout: float | None = None) -> list[CollectionInfo]:
        """How all collections stand, by name."""
        return self._sender.ask(self._backend.collections, timeout)
