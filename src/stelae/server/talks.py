"""WebSockets on which both sides speak: the server's end of a conversation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from stelae.dialects.base import RECORD, Asking, Dialect, Record, Rooms, Talk
from stelae.errors import RETRYABLE, BodyTooLarge, Cancelled, StelaeError
from stelae.server.protocol import MESSAGE_BYTES
from stelae.server.reception import Reception
from stelae.server.tray import Parcel, Tray
from stelae.telemetry import log

SLOW_SECONDS = 60.0
"""Time for a peer to take a message; one that does not is left."""

REASON_BYTES = 123
"""Most bytes of the reason in a closing frame (RFC 6455, section 5.5)."""

NORMAL, GOING_AWAY, POLICY, TOO_BIG, FAILED, TRY_LATER = 1000, 1001, 1008, 1009, 1011, 1013
"""Codes with which a WebSocket is closed (RFC 6455, section 7.4.1)."""


class Conversation:
    """One conversation; see ``stelae.dialects.base.Conversation``.

    Args:
        asking: What is known beside the messages.
        subprotocol: The one agreed on.
        at_once: Most messages worked on at once.
        receive: Takes what the peer sends.
        send: Sends.
        tray: Books messages.
    """

    def __init__(
        self,
        asking: Asking,
        subprotocol: str | None,
        at_once: int,
        receive: Receive,
        send: Send,
        tray: Tray,
    ) -> None:
        self.asking = asking
        self.subprotocol = subprotocol
        self.at_once = at_once
        self._receive = receive
        self._send = send
        self._tray = tray
        self._came: asyncio.Queue[Parcel | StelaeError | None] = asyncio.Queue()
        self._wanted = asyncio.Semaphore(1)
        self._sending = asyncio.Lock()
        self._gone = asyncio.Event()
        self._leaving = False
        self._draining = False
        self.closed = False

    @property
    def left(self) -> bool:
        """Whether the peer left before it was told goodbye."""
        return self._gone.is_set() and not self._leaving

    def drain(self) -> None:
        """Read no further message: to the handler the peer has nothing more to say."""
        self._draining = True
        self._came.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Parcel]:
        """Messages as they come."""
        while not self._draining:
            came = await self._came.get()
            if came is None:
                return
            self._wanted.release()
            if isinstance(came, StelaeError):
                raise came
            yield came

    async def send(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            Cancelled: The peer left, or does not read.
        """
        kind = "text" if isinstance(message, str) else "bytes"
        await self._out({"type": "websocket.send", kind: message})

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye, once."""
        if self.closed or self._gone.is_set():
            return
        self._leaving = self.closed = True
        if self._draining and code == NORMAL:
            code = GOING_AWAY
        said = {"type": "websocket.close", "code": code, "reason": shortened(reason)}
        with contextlib.suppress(Cancelled):
            await self._out(said)

    async def linger(self, seconds: float) -> None:
        """Wait for the peer to leave, at most so long."""
        self._leaving = True
        self._wanted.release()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()

    async def read(self, handling: asyncio.Task[None]) -> None:
        """Take what the peer sends, one message ahead of the handler, until it leaves."""
        while True:
            await self._wanted.acquire()
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                break
            await self._take(message)
        self._gone.set()
        if not self._leaving:
            handling.cancel()

    async def _take(self, message: Message) -> None:
        if self._leaving:
            self._wanted.release()
            return
        text = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        size = len(content)
        try:
            await self._tray.take(size)
        except StelaeError as error:
            self._came.put_nowait(error)
        else:
            self._came.put_nowait(Parcel(content, size, self._tray))

    async def _out(self, message: Message) -> None:
        try:
            async with asyncio.timeout(SLOW_SECONDS), self._sending:
                await self._send(message)
        except TimeoutError as error:
            raise Cancelled(f"the peer took nothing for {SLOW_SECONDS:.0f} s") from error
        except OSError as error:
            raise Cancelled("the peer left") from error


class Speaker:
    """A talk at its path: runs its conversations.

    Attributes:
        talk: Answers.
        dialect: Whose it is.
    """

    def __init__(
        self, talk: Talk, dialect: Dialect, rooms: Rooms, reception: Reception, at_once: int
    ) -> None:
        self.talk = talk
        self.dialect = dialect
        self._rooms = rooms
        self._reception = reception
        self._at_once = at_once
        self._open: set[Conversation] = set()

    def stop(self) -> None:
        """Let every conversation come to its end."""
        for conversation in self._open:
            conversation.drain()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one conversation to its end."""
        record: Record = scope[RECORD]
        scope[MESSAGE_BYTES] = self._reception.ledger.body_bytes
        agreed = next((p for p in self.talk.subprotocols if p in scope["subprotocols"]), None)
        tray = Tray(self._reception.ledger)
        asking = self._asking(scope, record)
        conversation = Conversation(asking, agreed, self._at_once, receive, send, tray)
        await send({"type": "websocket.accept", "subprotocol": agreed})
        handling = asyncio.create_task(self._handle(conversation), name="talk")
        reading = asyncio.create_task(conversation.read(handling), name="talk-reader")
        self._open.add(conversation)
        try:
            await asyncio.wait([handling])
        finally:
            self._open.discard(conversation)
            reading.cancel()
            handling.cancel()
            await asyncio.gather(reading, handling, return_exceptions=True)
            if conversation.left and tray.held:
                record.status, record.error = Cancelled.status, Cancelled.code
            tray.close()

    async def _handle(self, conversation: Conversation) -> None:
        record = conversation.asking.record
        try:
            await self.talk.handle(conversation, self._rooms)
            await conversation.close()
        except StelaeError as error:
            record.error = error.code
            await conversation.close(code_of(error), error.message)
        except Exception:
            log.get().exception("talk_failed", route=record.route, dialect=record.dialect)
            record.error = StelaeError.code
            await conversation.close(FAILED, "the server failed to answer; see its log")

    def _asking(self, scope: Scope, record: Record) -> Asking:
        headers = scope["headers"]
        return Asking(
            record=record,
            headers=Headers(raw=headers),
            admit=lambda: self._reception.admit(record, headers, socket=True),
        )


def shortened(reason: str) -> str:
    """What fits into a closing frame."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore")


def code_of(error: StelaeError) -> int:
    """The code that closes a WebSocket for an error."""
    if error.status in {401, 403}:
        return POLICY
    if isinstance(error, BodyTooLarge):
        return TOO_BIG
    return TRY_LATER if error.code in RETRYABLE else FAILED
