"""A dialect that says what it hears, over gRPC and on a WebSocket; tests hold it back."""

from __future__ import annotations

import asyncio

from stelae.dialects.answers import house_error
from stelae.dialects.base import Asking, Conversation, Dialect, Flow, Parcel, Rooms, Rpc, Talk
from stelae.dialects.window import Window
from stelae.errors import BY_CODE

HOLD = b"hold"
"""Is answered when ``go`` is set."""

FAIL = b"fail:"
"""Before the code of an error that is raised; ``crash`` for one that is not ours."""

LOUD = b"loud:"
"""Before the number of bytes to answer with."""


class Parrot:
    """Says what it hears.

    Attributes:
        go: Lets what is held be answered.
        heard: Messages begun.
        held: How many are held now.
        most: How many were worked on at once.
        dropped: How many were cancelled.
    """

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.heard: list[bytes] = []
        self.held = self.working = self.most = self.dropped = 0

    async def say(self, message: bytes) -> bytes:
        """Answer a message."""
        self.heard.append(message)
        self.working += 1
        self.most = max(self.most, self.working)
        try:
            return await self._answer(message)
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        finally:
            self.working -= 1

    async def _answer(self, message: bytes) -> bytes:
        if message.startswith(HOLD):
            self.held += 1
            try:
                await self.go.wait()
            finally:
                self.held -= 1
        if message.startswith(FAIL):
            raise BY_CODE.get(message[len(FAIL) :].decode(), RuntimeError)("as you wished")
        if message.startswith(LOUD):
            return bytes(int(message[len(LOUD) :]))
        return message

    async def rpc(self, message: bytes, asking: Asking, rooms: Rooms) -> bytes:
        """Answer a message of gRPC."""
        del rooms
        asking.record.model = "parrot"
        return await self.say(message)

    async def peek(self, message: bytes, asking: Asking, rooms: Rooms) -> bytes:
        """Answer the empty message to everybody, others to those with a key."""
        del rooms
        if message:
            asking.admit()
        return message

    async def talk(self, conversation: Conversation, rooms: Rooms) -> None:
        """Answer until ``bye``, then linger as long as that says, in hundredths of a second."""
        del rooms

        async def answer(parcel: Parcel) -> None:
            with parcel as content:
                await conversation.send(await self.say(as_bytes(content)))

        wait = 0
        async with Window(conversation.at_once) as window:
            async for parcel in conversation:
                said = as_bytes(parcel.content)
                if said.startswith(b"bye"):
                    wait = int(said[3:] or b"0")
                    break
                await window.start(answer(parcel))
        if wait:
            await conversation.linger(wait / 100)
        await conversation.close(1000, "goodbye")

    @property
    def dialect(self) -> Dialect:
        """Its dialect."""
        own = {"handle": self.rpc, "decode": read, "encode": bytes, "summary": "Says."}
        rpcs = (
            Rpc(method="/parrot.Parrot/Once", **own),
            Rpc(method="/parrot.Parrot/Many", streams=True, flow=flow, **own),
            Rpc(method="/parrot.Parrot/Peek", open=True, **own | {"handle": self.peek}),
        )
        talk = Talk(path="/parrot", handle=self.talk, summary="Talk.", subprotocols=("bytes", "x"))
        return Dialect("parrot", "Says.", (), house_error, talks=(talk,), rpcs=rpcs)


def flow(asking: Asking) -> Flow:
    """What the caller asks for."""
    return Flow(
        at_once=int(asking.headers.get("at-once", "0")) or None,
        in_order="in-order" in asking.headers,
    )


def read(message: bytes) -> bytes:
    """Decode a message."""
    if message == b"\xff":
        raise ValueError("not a message")
    return message


def as_bytes(content: str | bytes) -> bytes:
    """A message of a WebSocket."""
    return content.encode() if isinstance(content, str) else content
