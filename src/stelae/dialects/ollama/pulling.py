"""Ollama's way to fetch a model: the hub's files, told as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response

from stelae.catalog.entry import ModelEntry
from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.events import LinesResponse, line
from stelae.dialects.ollama.errors import error_body
from stelae.dialects.ollama.models import digest, named
from stelae.dialects.ollama.names import bare
from stelae.dialects.ollama.schema import OllamaNamed, OllamaProgress
from stelae.errors import Forbidden, InvalidInput, ModelLoadFailed, ModelNotFound, StelaeError

DONE = OllamaProgress(status="success")


async def pull(request: Request, rooms: Rooms) -> Response:
    """Fetch a model and make it known here; what is there already is not fetched again."""
    asked, given = await named(request)
    entry = rooms.fleet.fetchable(bare(given))
    record_of(request).model = entry.name
    if asked.stream is False:
        await rooms.fleet.fetch(entry)
        return json_answer(DONE)
    return LinesResponse(_lines(request, rooms, entry))


async def _lines(request: Request, rooms: Rooms, entry: ModelEntry) -> AsyncGenerator[bytes]:
    """Progress; a caller that leaves does not stop what is fetched."""
    yield line(OllamaProgress(status="pulling manifest"))
    told: asyncio.Queue[tuple[str, int, int] | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def progress(repo: str, done: int, total: int) -> None:
        loop.call_soon_threadsafe(told.put_nowait, (repo, done, total))

    work = asyncio.create_task(rooms.fleet.fetch(entry, progress))
    work.add_done_callback(lambda done: told.put_nowait(None))
    furthest = (-1, 0)
    while (known := await told.get()) is not None:
        repo, done, total = known
        if (done, total) > furthest:  # several threads tell, in no order
            furthest = (done, total)
            yield line(_fetched(repo, done, total))
    try:
        await work
    except StelaeError as error:
        record_of(request).error = error.code
        yield line(error_body(error, request))
        return
    yield line(OllamaProgress(status="verifying"))
    yield line(DONE)


def _fetched(repo: str, done: int, total: int) -> OllamaProgress:
    name = f"sha256:{digest(repo)}"
    return OllamaProgress(status=f"pulling {repo}", digest=name, total=total, completed=done)


PULL_OPERATIONS = (
    Operation(
        method="POST",
        path="/api/pull",
        handle=pull,
        summary="Fetch a model from the hub, line by line.",
        request=OllamaNamed,
        example={"model": "all-MiniLM-L6-v2"},
        response=OllamaProgress,
        errors=(InvalidInput, Forbidden, ModelNotFound, ModelLoadFailed),
        media=("application/x-ndjson", "application/json"),
    ),
)
