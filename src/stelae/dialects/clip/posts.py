"""One request in JSON to its answer, for the carriers of JSON."""

from __future__ import annotations

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request

from stelae.dialects.ask import OFFLOAD_BYTES, caller_of, offload
from stelae.dialects.base import Asking, Rooms, hold_of, record_of
from stelae.dialects.clip.answers import post_answer
from stelae.dialects.clip.asked import COPIES, ENCODE, ROOT_ENDPOINT, Asked, Told, Visit
from stelae.dialects.clip.core import answer
from stelae.dialects.clip.errors import is_transient, status_of
from stelae.dialects.clip.plain import FORM
from stelae.dialects.clip.schema import Doc, Docs, PostAnswer, PostRequest, StatusTold
from stelae.dialects.decode import decode
from stelae.errors import InvalidInput, StelaeError
from stelae.wire.arrays import Buffer
from stelae.wire.clip.names import ERROR
from stelae.wire.slices import is_large, json_slices

WANTING = frozenset({ENCODE, "index"})
"""What the client reads vectors from the answers of; from others it reads matches."""

_POST = msgspec.json.Decoder(PostRequest)


def speaks(headers: Headers) -> bool:
    """Whether a request comes from the client, which is made with aiohttp."""
    return "aiohttp" in headers.get("user-agent", "")


def asks_nothing(body: bytes) -> bool:
    """Whether a request holds nothing that would run, and asks for nothing that is kept.

    Raises:
        InvalidInput: It cannot be read.
    """
    given = _decoded(body)
    return Asked(_endpoint(given), given.parameters or {}, _docs(given), FORM).empty


async def answer_post(
    body: bytes, request: Request | Asking, rooms: Rooms, endpoint: str | None = None
) -> PostAnswer:
    """Answer a request; what is wrong with it is told in the answer's header.

    Args:
        body: The request.
        request: What carries it.
        rooms: The rooms that may be entered.
        endpoint: What is to be done, if the body does not say.

    Raises:
        InvalidInput: It cannot be read.
        StelaeError: The server cannot answer now.
    """
    told = Told()
    given = await offload(len(body), _decoded, body)
    hold_of(request)(COPIES * len(body))
    asked = Asked(endpoint or _endpoint(given), given.parameters or {}, _docs(given), FORM)
    status = await _status(asked, Visit(rooms, request, caller_of(request), len(body)), told)
    if told.description and asked.verb in WANTING and speaks(request.headers):
        # Quirk: clip-client 0.8.3 fails without a word on a document without a vector.
        status = StatusTold(code=ERROR, description=told.description)
    return post_answer(given, asked, told, status)


def _decoded(body: bytes) -> PostRequest:
    # Quirk: the reference writes "$(base64 FILE)" into the JSON of curl, and base64 breaks its
    # lines, which JSON forbids; see tests/contract/clip/documented.
    try:
        return decode(_POST, body)
    except InvalidInput:
        flat = bytes(body).replace(b"\n", b" ").replace(b"\r", b" ")
        if flat == body:
            raise
        return decode(_POST, flat)


async def _status(asked: Asked[Doc], visit: Visit, told: Told) -> StatusTold | None:
    try:
        await answer(asked, visit, told)
    except StelaeError as error:
        if is_transient(error):
            raise
        record_of(visit.request).error = error.code
        return status_of(error)
    return None


async def write(answer: object) -> list[Buffer]:
    """An answer as pieces of JSON; a large one is made beside the event loop.

    Raises:
        InvalidInput: What is sent back is nested deeper than can be written.
    """
    size = OFFLOAD_BYTES + 1 if is_large(answer, OFFLOAD_BYTES) else 0
    return await offload(size, _pieces, answer)


def _pieces(answer: object) -> list[Buffer]:
    try:
        return list(json_slices(answer))
    except (TypeError, RecursionError) as error:
        raise InvalidInput("the documents or parameters are nested too deeply") from error


def _endpoint(given: PostRequest) -> str:
    header = given.header
    named = (
        given.exec_endpoint,
        given.camel_exec_endpoint,
        header and header.exec_endpoint,
        header and header.camel_exec_endpoint,
    )
    return next((name for name in named if name), ROOT_ENDPOINT)


def _docs(given: PostRequest) -> list[Doc]:
    return (given.data.docs if isinstance(given.data, Docs) else given.data) or []
