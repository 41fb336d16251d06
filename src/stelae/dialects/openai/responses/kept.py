"""Responses that the server keeps, each for who asked: to go on from, to look at, to forget."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request

from stelae.dialects.base import Rooms, owner_of
from stelae.dialects.openai.responses.read import items_of
from stelae.dialects.openai.responses.schema import InputItem, ResponseAnswer, ResponseRequest
from stelae.dialects.writing import new_id
from stelae.errors import InvalidInput, NotFound, StelaeError
from stelae.service.notes import Notes
from stelae.telemetry.log import get

log = get()

KIND = "response"
MOST_LINKS, MOST_BYTES = 1000, 64 << 20
"""Longest chain of responses that is gone on from."""

NAMES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
}
"""How names of steps start, by their type."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A response as it is kept.

    Attributes:
        answer: What was answered.
        input: What it was asked with.
        previous: The response that it goes on from.
    """

    answer: msgspec.Raw
    input: list[dict[str, Any]]
    previous: str | None = None


class _Steps(msgspec.Struct, frozen=True):
    output: list[InputItem]


_KEPT = msgspec.json.Decoder(Kept)
_STEPS = msgspec.json.Decoder(_Steps)


class Shelf:
    """The responses of one caller.

    Args:
        request: Of the caller.
        rooms: The rooms.
    """

    def __init__(self, request: Request, rooms: Rooms) -> None:
        self._works = rooms.works
        self._notes = Notes(rooms.works.store, KIND)
        self._owner = owner_of(request)

    async def keep(self, request: ResponseRequest, answer: ResponseAnswer) -> bool:
        """Keep a response, if it is to be kept; whether it was.

        Raises:
            StelaeError: It cannot be kept, and the caller asked for that.
        """
        if request.store is False:
            return False
        kept = Kept(
            answer=msgspec.Raw(msgspec.json.encode(answer)),
            input=[told(item) for item in items_of(request)],
            previous=request.previous_response_id,
        )
        data = msgspec.json.encode(kept)
        try:
            await self._works.ask(self._notes.keep, self._owner, answer.id, data)
        except StelaeError as error:
            if request.store:
                raise
            log.warning("response_not_kept", error=str(error))
            return False
        return True

    async def find(self, name: str) -> Kept:
        """A response.

        Raises:
            NotFound: This caller has none of that name.
        """
        return _KEPT.decode(await self._read(name))

    async def _read(self, name: str) -> bytes:
        return await self._works.ask(self._notes.get, self._owner, name)

    async def forget(self, name: str) -> None:
        """Forget a response.

        Raises:
            NotFound: This caller has none of that name.
        """
        await self._works.ask(self._notes.drop, self._owner, name)

    async def before(self, request: ResponseRequest) -> list[InputItem]:
        """The conversation that a request goes on with, oldest step first.

        Raises:
            InvalidInput: A response of it is not kept, or it is too long.
        """
        links: list[list[InputItem]] = []
        name, size = request.previous_response_id, 0
        while name is not None:
            data = await self._link(name)
            kept = _KEPT.decode(data)
            asked = msgspec.convert(kept.input, list[InputItem])
            links.append([*asked, *_STEPS.decode(kept.answer).output])
            size += len(data)
            name = kept.previous
            if len(links) > MOST_LINKS or size > MOST_BYTES:
                raise InvalidInput(
                    f"the conversation has more than {MOST_LINKS} responses or {MOST_BYTES:,} "
                    "bytes; begin a new one",
                    param="previous_response_id",
                )
        return [item for link in reversed(links) for item in link]

    async def _link(self, name: str) -> bytes:
        try:
            return await self._read(name)
        except NotFound as error:
            raise InvalidInput(str(error), param="previous_response_id") from error


def told(item: InputItem) -> dict[str, Any]:
    """A step as it was asked, in the form in which lists of them tell it."""
    fields: dict[str, Any] = {
        **msgspec.to_builtins(item),
        "type": item.type,
        "id": item.id or new_id(NAMES.get(item.type, "item_")),
        "status": "completed",
    }
    if item.type == "message" and isinstance(item.content, str):
        fields["content"] = [_text(item.role, item.content)]
    if item.type == "reasoning":
        fields.setdefault("summary", [])
    return fields


def _text(role: str | None, text: str) -> dict[str, Any]:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}
