"""OpenAI's files: what batches read and write."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import offload
from stelae.dialects.base import Operation, Rooms, owner_of
from stelae.dialects.decode import read
from stelae.dialects.openai.pages import paged
from stelae.dialects.openai.schema import FileDeleted, FileList, FileObject
from stelae.dialects.uploads import plain_name, read_form
from stelae.errors import InvalidInput, NotFound
from stelae.service.store import File
from stelae.service.works import Works
from stelae.wire.multipart import is_form

PURPOSE = "batch"
"""What a file is for if nobody says."""


def file_object(file: File) -> FileObject:
    """A file as this protocol tells of it."""
    return FileObject(
        id=file.id,
        object="file",
        bytes=file.size,
        created_at=int(file.created),
        filename=file.name,
        purpose=file.purpose,
        status="processed",
    )


async def upload(request: Request, rooms: Rooms) -> Response:
    """Keep a file: a form with ``file`` and ``purpose``, or its bytes with both in the query."""
    form = is_form(request.headers.get("content-type", ""))
    name, purpose, data = await (_from_form if form else _from_body)(request)
    if not data:
        raise InvalidInput("the file is empty", param="file")
    works = rooms.works
    owner = owner_of(request)
    return json_answer(file_object(await works.ask(works.store.put, name, purpose, [data], owner)))


async def _from_form(request: Request) -> tuple[str, str, bytes]:
    body = await read(request)
    form = await offload(len(body), read_form, request.headers["content-type"], body)
    file, purpose = form.file("file"), form.fields.get("purpose") or PURPOSE
    if file is None:
        raise InvalidInput("the form has no file: give it as 'file'", param="file")
    return file.name, plain_name(str(purpose)), file.data


async def _from_body(request: Request) -> tuple[str, str, bytes]:
    query = request.query_params
    name, purpose = query.get("filename", "upload.jsonl"), query.get("purpose", PURPOSE)
    return plain_name(name), plain_name(purpose), await read(request)


async def list_files(request: Request, rooms: Rooms) -> Response:
    """Files, the newest first."""
    purpose = request.query_params.get("purpose")
    files = await rooms.works.ask(rooms.works.store.files, owner_of(request))
    found = [file_object(f) for f in files if purpose in (None, f.purpose)]
    page, more = paged(found, request)
    return json_answer(FileList(object="list", data=page, has_more=more))


async def get_file(request: Request, rooms: Rooms) -> Response:
    """One file."""
    return json_answer(file_object(await _find(request, rooms)))


async def get_content(request: Request, rooms: Rooms) -> Response:
    """The bytes of a file."""
    file = await _find(request, rooms)
    pieces = _pieces(rooms.works, file.id)
    headers = {"Content-Length": str(file.size)}
    return StreamingResponse(pieces, 200, headers, "application/octet-stream")


async def _find(request: Request, rooms: Rooms) -> File:
    works = rooms.works
    return await works.ask(works.store.file, request.path_params["id"], owner_of(request))


async def _pieces(works: Works, name: str) -> AsyncIterator[bytes]:
    number = 0
    while (piece := await works.ask(works.store.piece, name, number)) is not None:
        yield piece
        number += 1


async def delete_file(request: Request, rooms: Rooms) -> Response:
    """Forget a file."""
    name = request.path_params["id"]
    await rooms.works.ask(rooms.works.store.drop, name, owner_of(request))
    return json_answer(FileDeleted(id=name, object="file", deleted=True))


FILE_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/files",
        handle=upload,
        summary="Keep a file for batches.",
        response=FileObject,
        errors=(InvalidInput,),
    ),
    Operation(
        method="GET",
        path="/v1/files",
        handle=list_files,
        summary="List the files.",
        response=FileList,
    ),
    Operation(
        method="GET",
        path="/v1/files/{id}",
        handle=get_file,
        summary="Describe one file.",
        response=FileObject,
        errors=(NotFound,),
    ),
    Operation(
        method="GET",
        path="/v1/files/{id}/content",
        handle=get_content,
        summary="The bytes of a file.",
        errors=(NotFound,),
        media=("application/octet-stream",),
    ),
    Operation(
        method="DELETE",
        path="/v1/files/{id}",
        handle=delete_file,
        summary="Forget a file.",
        response=FileDeleted,
        errors=(NotFound,),
    ),
)
