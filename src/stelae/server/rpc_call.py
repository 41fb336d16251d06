"""One call over gRPC: from its metadata to its status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from grpc.aio import EOF, InternalError
from starlette.datastructures import Headers

from stelae.dialects.base import Asking, Dialect, Record, Rooms, Rpc
from stelae.dialects.window import Window
from stelae.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ShuttingDown,
    StelaeError,
    Unauthorized,
)
from stelae.security.keys import Headers as RawHeaders
from stelae.server.reception import Reception
from stelae.server.rpc_status import status_of, trailers_of
from stelae.server.tray import Parcel, Tray
from stelae.telemetry import log

Context = Any
"""``grpc.aio.ServicerContext``; the library ships no types."""


REFUSAL_SECONDS = 0.05
"""Time between a wrong key and the end of its call."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method, and what its calls share.

    Attributes:
        rpc: Answers.
        dialect: Whose it is.
        rooms: What it enters.
        reception: Who may call.
        most: Messages of one stream worked on at once.
        calls: Those that are open.
    """

    rpc: Rpc
    dialect: Dialect
    rooms: Rooms
    reception: Reception
    most: int
    calls: set[Call] = field(default_factory=set)

    async def serve(self, requests: object, context: Context) -> None:
        """Answer one call, whatever happens."""
        del requests  # read from the context, where nothing is read ahead
        call = Call(self, context)
        self.calls.add(call)
        try:
            await call.run()
        finally:
            self.calls.discard(call)


class Call:
    """One call of a method."""

    def __init__(self, method: Method, context: Context) -> None:
        self._method = method
        self._context = context
        self._tray = Tray(method.reception.ledger)
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self._reading = False
        self._draining = False
        self._interrupted = False
        self._abandoned = False
        self._ended = False
        self._sending = asyncio.Lock()
        self._bytes = 0
        self._refusal: StelaeError | None = None

    def drain(self) -> None:
        """Read no further message; what is in work is answered, unless it would never end."""
        self._draining = True
        if self._method.rpc.tells:
            self.abandon()
        if self._reading and self._task is not None:
            self._interrupted = True
            self._task.cancel()

    def abandon(self) -> None:
        """Leave what is in work."""
        self._abandoned = True
        if self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """Answer it."""
        reception = self._method.reception
        headers = _raw(self._context.invocation_metadata())
        record = reception.arrive(headers)
        record.route, record.dialect = self._method.rpc.method, self._method.dialect.name
        reception.metrics.in_flight.value += 1
        try:
            await self._answer(record, headers)
        except asyncio.CancelledError:
            if not self._abandoned:
                record.status, record.error = Cancelled.status, Cancelled.code
                raise
            self._fail(record, _stops())
        finally:
            self._tray.close()
            reception.metrics.in_flight.value -= 1
            reception.count(record)
            if not self._method.rpc.quiet:
                reception.note("rpc", record, bytes_in=self._bytes)

    async def _answer(self, record: Record, headers: RawHeaders) -> None:
        try:
            await self._context.send_initial_metadata((("x-request-id", record.id),))
            asking = self._asking(record, headers)
            if not self._method.rpc.open:
                self._refusal = await self._admit(asking)
            await (self._stream(asking) if self._method.rpc.streams else self._single(asking))
            record.status = 200
        except StelaeError as error:
            self._fail(record, error)
        except InternalError:
            # What the library raises where a call is over before its task hears of that.
            self._fail(record, Cancelled("the caller left"))
        except Exception:
            log.get().exception("rpc_failed", route=record.route, dialect=record.dialect)
            self._fail(record, StelaeError("the server failed to answer; see its log"))

    async def _admit(self, asking: Asking) -> StelaeError | None:
        """Check the key; who is refused has a moment to send what is on its way.

        Nothing of it is read. Some clients tell an error of their own, and not ours, if a
        call ends while they begin to send.

        Returns:
            What is to be answered to one without a key, where strangers may ask for something.
        """
        try:
            asking.admit()
        except StelaeError as error:
            if isinstance(error, Unauthorized) and self._method.rpc.stranger is not None:
                return error
            await asyncio.sleep(REFUSAL_SECONDS)
            raise
        return None

    def _fail(self, record: Record, error: StelaeError) -> None:
        record.status, record.error = error.status, error.code
        self._context.set_code(status_of(error))
        self._context.set_details(str(error))
        self._context.set_trailing_metadata(trailers_of(error))

    def _asking(self, record: Record, headers: RawHeaders) -> Asking:
        reception = self._method.reception
        seconds = self._context.time_remaining()
        if seconds is not None and seconds <= 0:
            raise DeadlineExceeded("the call arrived with no time left")
        return Asking(
            record=record,
            headers=Headers(raw=list(headers)),
            admit=lambda: reception.admit(record, headers),
            seconds=seconds,
        )

    async def _single(self, asking: Asking) -> None:
        parcel = await self._next()
        if parcel is None:
            raise _stops() if self._draining else InvalidInput("the call has no message")
        await self._work(parcel, asking)

    async def _stream(self, asking: Asking) -> None:
        flow = self._method.rpc.flow(asking)
        at_once = min(flow.at_once or self._method.most, self._method.most)
        before: asyncio.Task[object] | None = None
        async with Window(at_once) as window:
            async for parcel in self._messages(window):
                turn = before if flow.in_order else None
                before = await window.start(self._work(parcel, asking, turn))
        if not self._ended:
            raise _stops()

    async def _messages(self, window: Window) -> AsyncIterator[Parcel]:
        await window.room()
        while (parcel := await self._next()) is not None:
            yield parcel
            await window.room()

    async def _next(self) -> Parcel | None:
        """The next message; nothing at the end, and when the server stops."""
        if self._draining:
            return None
        self._reading = True
        try:
            message = await self._context.read()
        except asyncio.CancelledError:
            if not self._interrupted or self._task is None:
                raise
            self._task.uncancel()
            return None
        finally:
            self._reading = False
        self._ended = message is EOF
        if self._ended:
            return None
        self._bytes += len(message)
        await self._tray.take(len(message))
        return Parcel(message, len(message), self._tray)

    async def _work(
        self, parcel: Parcel, asking: Asking, turn: asyncio.Task[object] | None = None
    ) -> None:
        rpc = self._method.rpc
        asking = asking.about(hold=parcel.hold)
        with parcel as message:
            if rpc.tells:
                await self._tell(_decoded(rpc, message), asking)
                return
            answer = await self._answer_to(_decoded(rpc, message), asking)
            if turn is not None:
                await turn
            async with self._sending:
                await self._context.write(rpc.encode(answer))

    async def _tell(self, message: Any, asking: Asking) -> None:
        rpc = self._method.rpc
        async with aclosing(rpc.handle(message, asking, self._method.rooms)) as answers:
            async for answer in answers:
                await self._context.write(rpc.encode(answer))

    async def _answer_to(self, message: Any, asking: Asking) -> Any:
        rpc, rooms = self._method.rpc, self._method.rooms
        if self._refusal is None:
            return await rpc.handle(message, asking, rooms)
        answer = None if rpc.stranger is None else await rpc.stranger(message, asking, rooms)
        if answer is None:
            raise self._refusal
        return answer


def _decoded(rpc: Rpc, message: Any) -> Any:
    try:
        return rpc.decode(message)
    except ValueError as error:
        raise InvalidInput(f"{rpc.method}: the message cannot be read: {error}") from error


def _raw(metadata: Any) -> RawHeaders:
    """Metadata as headers; values are text, or bytes under names that end in ``-bin``."""
    return [
        (name.encode("latin-1"), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in metadata or ()
    ]


def _stops() -> ShuttingDown:
    return ShuttingDown("the server stops", retry_after=1.0)
