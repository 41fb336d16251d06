"""``/index``, ``/search`` and their kin: documents kept, and the nearest found."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any, TypeVar

from msgspec import structs
from msgspec.structs import replace

from stelae.dialects import ask
from stelae.dialects.clip.asked import Asked, Told, Visit
from stelae.dialects.clip.batch import Batch, gather, spread, weighed
from stelae.dialects.clip.encode import fill
from stelae.dialects.clip.forms import D
from stelae.dialects.clip.models import model_of
from stelae.dialects.clip.select import select
from stelae.errors import EngineFailed, InvalidInput
from stelae.types import Document, IndexCall, IndexResult, SearchCall, SearchResult
from stelae.wire.clip.names import COSINE, TEXT_MIME

COLLECTION = "clip"
"""Where documents are kept unless a request says otherwise."""

LIMIT = 10
"""Most documents that a search finds, unless a request says otherwise."""

R = TypeVar("R", IndexResult, SearchResult)


async def index(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Keep the documents that are meant, in place of those of the same ids; they get vectors.

    Raises:
        StelaeError: None of them could be kept.
    """
    await _keep(asked, await _batch(asked, visit), visit, told)


async def update(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Keep documents anew; those without content only get other tags.

    Raises:
        NotFound: There is no such collection.
    """
    batch = await _batch(asked, visit)
    full = {id(doc) for doc in batch.docs}
    bare = [doc for doc in select(asked.docs, asked.path, asked.form) if id(doc) not in full]
    if bare:
        ids, tags = [asked.form.id(doc) for doc in bare], [asked.form.tags(doc) for doc in bare]
        await visit.rooms.search.update(_collection(asked), ids, tags)
    await _keep(asked, batch, visit, told)


async def delete(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Forget documents by their ids, or those whose tags meet a condition.

    Raises:
        NotFound: There is no such collection.
    """
    del told
    given = asked.parameters.get("ids") or []
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise InvalidInput("parameters.ids: a list of texts was expected", param="parameters.ids")
    ids = [*given, *(asked.form.id(doc) for doc in asked.docs)]
    await visit.rooms.search.delete(_collection(asked), ids, _filter(asked))


async def choose(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Answer with the documents whose tags meet a condition.

    Raises:
        NotFound: There is no such collection.
    """
    found = await visit.rooms.search.find(
        _collection(asked),
        _filter(asked) or {},
        asked.count("limit", LIMIT),
        asked.count("offset", 0, least=0),
    )
    told.docs = [asked.form.made(_fields(document)) for document in found]


async def status(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Answer with a document whose tags tell how a collection stands.

    Raises:
        NotFound: There is no such collection.
    """
    info = await visit.rooms.search.collection(_collection(asked))
    told.docs = [asked.form.made({"id": info.name, "tags": structs.asdict(info)})]


async def search(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Find for each document those that are nearest to it, and make them its matches.

    Raises:
        StelaeError: None of them could be looked for.
    """
    batch = await _batch(asked, visit)
    if batch.sound():
        await _find(asked, batch, visit, told)
    _finish(asked, batch, told)


async def _find(asked: Asked[D], batch: Batch[D], visit: Visit, told: Told) -> None:
    await _check_model(asked, visit)
    call = SearchCall(
        collection=_collection(asked),
        items=batch.sound_items(),
        limit=asked.count("limit", LIMIT),
        filter=_filter(asked),
    )
    asking = ask.search(visit.request, visit.rooms, call, visit.caller)
    result = await _told(batch, weighed(asking, len(call.items), visit), told)
    for place, hits in zip(batch.sound(), result.hits, strict=True):
        asked.form.clear_matches(batch.docs[place])
        for hit in hits:
            match = asked.form.match(batch.docs[place], {**_fields(hit.document), "adjacency": 1})
            asked.form.score(match, COSINE, 1 - hit.score, COSINE)


async def _batch(asked: Asked[D], visit: Visit) -> Batch[D]:
    meant = select(asked.docs, asked.path, asked.form)
    return await gather(meant, asked.form, visit)


async def _keep(asked: Asked[D], batch: Batch[D], visit: Visit, told: Told) -> None:
    if not batch.sound():
        _finish(asked, batch, told)
        return
    form, docs = asked.form, [batch.docs[place] for place in batch.sound()]
    items = batch.sound_items()
    named = [replace(item, id=form.id(doc)) for item, doc in zip(items, docs, strict=True)]
    call = IndexCall(
        collection=_collection(asked),
        items=named,
        model=model_of(asked, visit.rooms),
        tags=[form.tags(doc) for doc in docs],
        uris=[form.uri(doc) or None for doc in docs],
        keep_images=asked.flag("keep_image_content"),
    )
    asking = ask.index(visit.request, visit.rooms, call, visit.caller)
    await _told(batch, weighed(asking, len(named), visit), told)
    _finish(asked, batch, told)


async def _told(batch: Batch[D], asking: Awaitable[R], told: Told) -> R:
    """Ask, give the documents their vectors, and note what went wrong with some."""
    places = batch.sound()
    told.began = time.time_ns()
    result = await asking
    told.model, told.ended = result.model, time.time_ns()
    batch.faults |= {places[index]: error for index, error in result.errors.items()}
    if result.vectors is None:
        raise EngineFailed(f"model {result.model!r} returned no vectors")
    rows = spread(result.vectors, places, len(batch.docs))
    fill(batch, rows, range(len(batch.docs)))
    return result


def _finish(asked: Asked[D], batch: Batch[D], told: Told) -> None:
    if asked.drops:
        for doc in batch.docs:
            asked.form.drop(doc)
    told.description = batch.blame()


def _collection(asked: Asked[Any]) -> str:
    return asked.text("collection") or COLLECTION


def _filter(asked: Asked[Any]) -> dict[str, Any] | None:
    condition = asked.parameters.get("filter")
    if condition is not None and not isinstance(condition, dict):
        raise InvalidInput(
            "parameters.filter: a condition was expected, as {'price': {'$lt': 10}}",
            param="parameters.filter",
        )
    return condition or None


async def _check_model(asked: Asked[Any], visit: Visit) -> None:
    """Refuse to search with another model than the collection was made with."""
    if asked.model is None:
        return
    wanted = visit.rooms.fleet.model(asked.model).name
    there = (await visit.rooms.search.collection(_collection(asked))).model
    if there != wanted:
        raise InvalidInput(
            f"model {wanted!r}: the collection {_collection(asked)!r} has vectors of {there!r}",
            param="model_name",
            hint="leave the model out, or name another collection",
        )


def _fields(found: Document) -> dict[str, Any]:
    """What is said of a document that was found."""
    mime = TEXT_MIME if found.text is not None else None
    fields = {
        "id": found.id,
        "text": found.text,
        "blob": found.image,
        "uri": found.uri,
        "tags": found.tags or None,
        "mime_type": mime,
    }
    return {name: value for name, value in fields.items() if value is not None}
