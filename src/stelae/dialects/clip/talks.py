"""The protocol over WebSockets: protobuf in binary messages, JSON in those of text."""

from __future__ import annotations

from contextlib import ExitStack

import msgspec

from stelae.dialects.base import Asking, Conversation, Rooms, Talk
from stelae.dialects.clip.answers import spoken
from stelae.dialects.clip.counting import counted
from stelae.dialects.clip.exchange import exchange
from stelae.dialects.clip.posts import answer_post, write
from stelae.dialects.window import Window
from stelae.errors import StelaeError
from stelae.wire.clip.messages import Status
from stelae.wire.clip.names import END, ERROR, SUBPROTOCOL, SUCCESS, WS_REPLY_BYTES

JSON = "json"

END_TEXT = "{}"
"""In text, the message after the last request."""

FATAL = 1011
"""Code of a close whose reason the client tells its caller."""

FAREWELL_SECONDS = 0.5
"""Time that a client has to read an error before the end."""


class Talking:
    """One conversation: requests until the end, answers as they are made."""

    def __init__(self, conversation: Conversation, rooms: Rooms) -> None:
        self._conversation = conversation
        self._rooms = rooms
        self._failed = False

    async def run(self) -> None:
        """Answer every request, then say goodbye."""
        conversation = self._conversation
        try:
            await self._answer_all()
        except StelaeError as error:
            # Quirk: clip-client 0.8.3 tells the reason of this code alone to its caller.
            conversation.asking.record.error = error.code
            await conversation.close(FATAL, error.message)
        if self._failed:
            # Quirk: clip-client 0.8.3 drops an error that the end follows at once.
            await conversation.linger(FAREWELL_SECONDS)

    async def _answer_all(self) -> None:
        async with Window(self._conversation.at_once) as window:
            async for parcel in self._conversation:
                with ExitStack() as held:
                    content = held.enter_context(parcel)
                    if content in (END, END_TEXT):
                        return
                    asking = self._conversation.asking.about(hold=parcel.hold)
                    await window.start(self._answer(content, asking, held.pop_all()))

    async def _answer(self, content: str | bytes, asking: Asking, held: ExitStack) -> None:
        with held:
            if isinstance(content, str):
                await self._conversation.send(await self._in_text(content, asking))
            else:
                await self._conversation.send(await self._in_bytes(content, asking))

    async def _in_bytes(self, content: bytes, asking: Asking) -> bytes:
        reply = await exchange(content, asking, self._rooms, WS_REPLY_BYTES)
        self._failed = self._failed or reply.failed
        return reply.data

    async def _in_text(self, content: str, asking: Asking) -> str:
        with counted(asking, self._rooms) as own:
            answer = await answer_post(content.encode(), own, self._rooms)
        status = answer.header.status
        self._failed = self._failed or (status is not None and status.code == ERROR)
        return b"".join(await write(spoken(answer))).decode()


async def talk(conversation: Conversation, rooms: Rooms) -> None:
    """Answer requests until their sender says that there are no more."""
    await Talking(conversation, rooms).run()


async def dry_run(conversation: Conversation, rooms: Rooms) -> None:
    """Say to whoever asks that the server is ready."""
    del rooms
    async for parcel in conversation:
        with parcel as content:
            asked_in_text = isinstance(content, str)
        ready = {"code": SUCCESS, "description": "", "exception": None}
        told = msgspec.json.encode(ready).decode() if asked_in_text else Status()
        await conversation.send(told if isinstance(told, str) else told.SerializeToString())
        return


TALKS = (
    Talk(
        path="/",
        handle=talk,
        summary="Encode, rank, index or search documents, many requests on one socket.",
        subprotocols=(SUBPROTOCOL, JSON),
    ),
    Talk(
        path="/dry_run",
        handle=dry_run,
        summary="Ready to be asked.",
        subprotocols=(SUBPROTOCOL, JSON),
        open=True,
    ),
)
