"""Two ways in which the SDK asks for texts that are not served yet, and say so.

Chats are answered by OpenAI's protocol. The SDK's requests come here before any other protocol of
the same path: what serves one of these paths takes it out of ``WRITING_OPERATIONS``.
"""

from __future__ import annotations

from typing import NoReturn

import msgspec
from starlette.requests import Request

from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import decode, read
from stelae.dialects.sie.schema import WriteRequest
from stelae.errors import InvalidInput, ModelNotFound, UnsupportedTask
from stelae.types import ModelInfo

_REQUEST = msgspec.json.Decoder(WriteRequest)


async def generate(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse to go on with a text.

    Raises:
        ModelNotFound: There is no such model.
        UnsupportedTask: There is.
    """
    _refuse("generate", _flat(request.path_params["model"], rooms))


async def respond(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse to answer what was said.

    Raises:
        ModelNotFound: There is no such model.
        UnsupportedTask: There is.
    """
    _refuse("responses", rooms.fleet.model(decode(_REQUEST, await read(request)).model))


def _flat(name: str, rooms: Rooms) -> ModelInfo:
    # Quirk: sie-sdk 0.10.1 writes "__" for "/" in these paths alone;
    # tests/contract/sie/checks.py, check_writing.
    try:
        return rooms.fleet.model(name)
    except ModelNotFound:
        if "__" not in name:
            raise
        return rooms.fleet.model(name.replace("__", "/"))


def _refuse(asked: str, info: ModelInfo) -> NoReturn:
    able = f"; model {info.name!r} can {', '.join(info.tasks)}" if info.tasks else ""
    raise UnsupportedTask(
        f"{asked} is not served here yet{able}",
        param="model",
        hint="models that write text answer at /v1/chat/completions",
    )


_REFUSALS = (InvalidInput, ModelNotFound, UnsupportedTask)

WRITING_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/generate/{model:path}",
        handle=generate,
        summary="Always refused: not served yet.",
        errors=_REFUSALS,
    ),
    Operation(
        method="POST",
        path="/v1/responses",
        handle=respond,
        summary="Always refused: not served yet.",
        errors=_REFUSALS,
    ),
)
