"""Collections: things kept with their vectors, and the nearest of them."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects import ask
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import Decoder, decode, read
from stelae.dialects.native import convert
from stelae.errors import Conflict, InvalidInput, ModelNotFound, NotFound
from stelae.types import (
    CollectionInfo,
    Document,
    IndexCall,
    IndexResult,
    SearchCall,
    SearchResult,
)

T = TypeVar("T")


class CollectionsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Every collection, by name."""

    collections: list[CollectionInfo]


class UpdateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New tags of documents: of each, in the order of their ids."""

    ids: list[str]
    tags: list[dict[str, Any]]


class UpdateResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Of each document, whether it is there."""

    updated: list[bool]


class DocumentsRequest(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Which documents: by id, or by a condition on their tags."""

    ids: list[str] = []
    filter: dict[str, Any] | None = None


class ReadRequest(DocumentsRequest, frozen=True, kw_only=True):
    """Which documents to read: by id, or by a condition some of those that meet it."""

    limit: int = 100
    start: Annotated[int, msgspec.Meta(ge=0)] = 0


class DocumentsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Documents, in the order asked or kept; those that are not there are left out."""

    documents: list[Document]


class DeletedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """How many documents were forgotten."""

    deleted: int


def _decoders(kind: type[T]) -> dict[convert.Media, Decoder[T]]:
    return {
        convert.Media.JSON: msgspec.json.Decoder(kind),
        convert.Media.MSGPACK: msgspec.msgpack.Decoder(kind),
    }


_UPDATES = _decoders(UpdateRequest)
_WHICH = _decoders(DocumentsRequest)
_READ = _decoders(ReadRequest)


async def index(request: Request, rooms: Rooms) -> Response:
    """Keep items with their vectors."""
    body = await read(request)
    media = convert.sent(request)
    call = await ask.offload(len(body), convert.call_of, IndexCall, body, media)
    result = await ask.index(request, rooms, call)
    return convert.answer(msgspec.structs.replace(result, vectors=None), request)


async def search(request: Request, rooms: Rooms) -> Response:
    """Find the documents nearest to each query."""
    body = await read(request)
    media = convert.sent(request)
    call = await ask.offload(len(body), convert.call_of, SearchCall, body, media)
    result = await ask.search(request, rooms, call)
    return convert.answer(msgspec.structs.replace(result, vectors=None), request)


async def update(request: Request, rooms: Rooms) -> Response:
    """Give documents other tags."""
    asked = decode(_UPDATES[convert.sent(request)], await read(request))
    updated = await rooms.search.update(_name(request), asked.ids, asked.tags)
    return convert.answer(UpdateResponse(updated=updated), request)


async def documents(request: Request, rooms: Rooms) -> Response:
    """Documents by id, or those that meet a condition."""
    asked = decode(_READ[convert.sent(request)], await read(request))
    name = _name(request)
    found = await rooms.search.documents(name, asked.ids)
    if asked.filter is not None:
        found += await rooms.search.find(name, asked.filter, asked.limit, asked.start)
    return convert.answer(DocumentsResponse(documents=found), request)


async def delete_documents(request: Request, rooms: Rooms) -> Response:
    """Forget documents."""
    asked = decode(_WHICH[convert.sent(request)], await read(request))
    deleted = await rooms.search.delete(_name(request), asked.ids, asked.filter)
    return convert.answer(DeletedResponse(deleted=deleted), request)


async def list_collections(request: Request, rooms: Rooms) -> Response:
    """Every collection."""
    found = await rooms.search.collections()
    return convert.answer(CollectionsResponse(collections=found), request)


async def get_collection(request: Request, rooms: Rooms) -> Response:
    """One collection."""
    return convert.answer(await rooms.search.collection(_name(request)), request)


async def delete_collection(request: Request, rooms: Rooms) -> Response:
    """Forget a collection, and tell how it stood."""
    return convert.answer(await rooms.search.drop(_name(request)), request)


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


_BOTH = ("application/json", "application/msgpack")
_ALL = "/stelae/v1/collections"
_ONE = f"{_ALL}/{{name}}"

COLLECTION_OPERATIONS = (
    Operation(
        method="POST",
        path="/stelae/v1/index",
        handle=index,
        summary="Keep items in a collection with their vectors; it is made if need be.",
        request=IndexCall,
        response=IndexResult,
        errors=(InvalidInput, ModelNotFound, Conflict),
        example={
            "collection": "notes",
            "model": "all-MiniLM-L6-v2",
            "items": [{"id": "1", "text": "The cat sat on the mat."}],
            "tags": [{"pages": 3}],
        },
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/stelae/v1/search",
        handle=search,
        summary="Find the documents of a collection that are nearest to each query.",
        request=SearchCall,
        response=SearchResult,
        example={"collection": "notes", "items": [{"text": "Where is the cat?"}], "limit": 3},
        errors=(InvalidInput, NotFound, Conflict),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path=_ALL,
        handle=list_collections,
        summary="List the collections.",
        response=CollectionsResponse,
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path=_ONE,
        handle=get_collection,
        summary="Describe one collection.",
        response=CollectionInfo,
        errors=(NotFound,),
        media=_BOTH,
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        handle=delete_collection,
        summary="Forget a collection.",
        response=CollectionInfo,
        errors=(NotFound,),
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/documents",
        handle=documents,
        summary="Read documents by id.",
        request=ReadRequest,
        response=DocumentsResponse,
        example={"ids": ["1"]},
        errors=(InvalidInput, NotFound),
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/update",
        handle=update,
        summary="Give documents other tags.",
        request=UpdateRequest,
        response=UpdateResponse,
        example={"ids": ["1"], "tags": [{"pages": 4}]},
        errors=(InvalidInput, NotFound),
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/delete",
        handle=delete_documents,
        summary="Forget documents by id, or by a condition on their tags.",
        request=DocumentsRequest,
        response=DeletedResponse,
        example={"filter": {"pages": {"$lt": 2}}},
        errors=(InvalidInput, NotFound),
        media=_BOTH,
    ),
)
