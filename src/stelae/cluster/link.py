"""The server's end of one worker process: its socket, its calls under way, its death."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from stelae.cluster import child, messages
from stelae.cluster.frames import Buffer, Frame, FrameReader
from stelae.cluster.inflow import Inflow
from stelae.cluster.messages import (
    Cancel,
    Credit,
    Done,
    Failed,
    Infer,
    Message,
    Part,
    Ping,
    Pong,
    Ready,
    Refused,
)
from stelae.cluster.vitals import Vitals
from stelae.errors import (
    NoCapacity,
    ProtocolError,
    ShuttingDown,
    StelaeError,
    WorkerDied,
    from_info,
)
from stelae.telemetry.log import get
from stelae.types import Task

log = get()


@dataclass(slots=True, eq=False)
class Ticket:
    """A call on its way: what to send, until when, and where the answer goes.

    Attributes:
        task: Decides the type of the result.
        payload: The call as the buffers of a frame.
        deadline: Reading of the loop's clock after which nobody waits.
        urgent: A health check: jumps the queue and is never suspected.
        answer: The frame of the result, or the error.
        sent_as: Its number on the connection it was last sent on.
        inflow: Where parts of the answer go, if it is wanted in parts.
        settled: For a call that runs alone: set once the worker is done with it, or dead.
    """

    task: Task
    payload: list[Buffer]
    deadline: float | None
    urgent: bool
    answer: asyncio.Future[Frame]
    inflow: Inflow[Frame] | None = field(default=None, init=False)
    sent_as: int | None = field(default=None, init=False)
    settled: asyncio.Event | None = field(default=None, init=False)


class Link(asyncio.BufferedProtocol):
    """One worker process from spawn to reaping.

    Attributes:
        loop: Runs it; kept, since asking for the running one is a call of the system.
        loaded: Resolves with ``Ready``, with the error that the worker reported, or
            with ``WorkerDied``.
        closed: Set once the process has ended and been reaped.
        tickets: Calls sent and not yet answered, by number.
        pong: The answer to the latest ping, if it has come.
        leaving: Whether the worker takes no more calls: it has ended, or was told to.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.loop = loop = asyncio.get_running_loop()
        self._process = process
        self._reader = FrameReader()
        self._ids = count(1)
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[Buffer] = []
        self._relay = child.Relay()
        self.loaded: asyncio.Future[Ready] = loop.create_future()
        self.loaded.add_done_callback(retrieve)
        self.closed = asyncio.Event()
        self.tickets: dict[int, Ticket] = {}
        self.pong: Vitals | None = None
        self.leaving = False
        self._lost = asyncio.Event()
        self._reaper: asyncio.Task[None] | None = None

    # -- life --------------------------------------------------------------------------------

    @classmethod
    async def spawn(
        cls, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> Link:
        """Start a worker process and connect to it.

        Args:
            arguments: Further arguments of its command line.
            environment: All its variables; those of this process if ``None``.

        Raises:
            NoCapacity: The system has no room for another process or descriptor.
        """
        try:
            return await cls._connected(arguments, environment)
        except OSError as error:
            raise NoCapacity(
                f"the system refused to start a worker process: {error}", retry_after=5.0
            ) from error

    @classmethod
    async def _connected(
        cls, arguments: Sequence[str], environment: Mapping[str, str] | None
    ) -> Link:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                link = cls(child.spawn(theirs.fileno(), arguments, environment))
        except OSError:
            ours.close()
            raise
        link._reaper = asyncio.create_task(link._reap(), name=f"reap-{link.pid}")
        try:
            await link._connect(ours)
        except BaseException:
            ours.close()
            link.kill()
            link._lost.set()
            await link.closed.wait()
            raise
        return link

    async def _connect(self, ours: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        ours.setblocking(False)
        # Quirk: uvloop 0.22 whose connecting is cancelled closes the descriptor, not the file.
        await asyncio.shield(loop.connect_read_pipe(lambda: self._relay, self._process.stderr))
        await loop.create_unix_connection(lambda: self, sock=ours)

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    @property
    def death(self) -> str:
        """How the process ended, for people; only once ``closed``."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"exited with status {code}"

    @property
    def clean(self) -> bool:
        """Whether the process ended as intended; only once ``closed``."""
        return self._process.returncode == 0

    @property
    def tail(self) -> str:
        """The last lines that the worker wrote to its standard error."""
        return "\n".join(self._relay.lines)

    def kill(self) -> None:
        """End the process at once; ``closed`` follows."""
        if self._process.returncode is None:
            self._process.kill()

    async def close(self) -> None:
        """Hang up and wait until the process has ended."""
        self._flush()
        if self._transport is not None:
            self._transport.close()
        await self.closed.wait()

    async def _reap(self) -> None:
        await self._lost.wait()
        await asyncio.to_thread(child.reap, self._process)
        await self._relay.close()
        if self._transport is not None:
            self._transport.abort()
        if not self.loaded.done():
            details = {"stderr": self.tail}
            self.loaded.set_exception(WorkerDied(f"the worker {self.death}", details=details))
        self.closed.set()
        for ticket in self.tickets.values():
            if ticket.settled is not None:
                ticket.settled.set()

    # -- talk --------------------------------------------------------------------------------

    def send(self, message: Message, buffers: Sequence[Buffer] = ()) -> None:
        """Write a message; it is dropped if the worker has gone.

        What is sent in one turn of the loop leaves together: each write wakes the worker.

        Raises:
            BodyTooLarge: It does not fit in a frame.
        """
        pieces = messages.write(message, buffers)
        if not self._outgoing:
            self.loop.call_soon(self._flush)
        self._outgoing += pieces

    def _flush(self) -> None:
        pieces, self._outgoing = self._outgoing, []
        if pieces and self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(pieces)

    def infer(self, ticket: Ticket) -> None:
        """Send a call; its answer, and only that, ends up in the ticket.

        Raises:
            BodyTooLarge: The call does not fit in a frame.
        """
        id = next(self._ids)
        left = None
        if ticket.deadline is not None:
            left = max(0.0, ticket.deadline - self.loop.time())
        self.send(Infer(id, ticket.task, left, ticket.urgent), ticket.payload)
        ticket.sent_as = id
        self.tickets[id] = ticket

    def cancel(self, ticket: Ticket) -> None:
        """Tell the worker that nobody waits for a call any more."""
        # Numbers are those of one connection: another one may have given it to another call.
        if ticket.sent_as is not None and self.tickets.get(ticket.sent_as) is ticket:
            self.send(Cancel(ticket.sent_as))

    def grant(self, ticket: Ticket, count: int) -> None:
        """Tell the worker that so many parts of an answer were taken."""
        if ticket.sent_as is not None and self.tickets.get(ticket.sent_as) is ticket:
            self.send(Credit(ticket.sent_as, count))

    def ping(self) -> None:
        """Ask for a sign of life; it arrives in ``pong``."""
        self.pong = None
        self.send(Ping())

    async def alone(self, ticket: Ticket) -> bool:
        """Send a call and wait until the worker is done with it; False if it died first.

        Whether the caller still waits makes no difference.
        """
        ticket.settled = asyncio.Event()
        if not self.leaving:
            self.infer(ticket)
            await ticket.settled.wait()
            return ticket not in self.tickets.values()
        await self.closed.wait()
        return False

    def _settle(self, id: int, answer: Frame | StelaeError) -> None:
        ticket = self.tickets.pop(id, None)
        if ticket is None:
            return
        if ticket.settled is not None:
            ticket.settled.set()
        if ticket.answer.done():
            return
        if isinstance(answer, StelaeError):
            ticket.answer.set_exception(answer)
        else:
            ticket.answer.set_result(answer)

    def _obey(self, frame: Frame) -> None:
        match messages.read(frame):
            case Part(id=id):
                ticket = self.tickets.get(id)
                if ticket is not None and ticket.inflow is not None:
                    ticket.inflow.put(frame)
            case Done(id=id):
                self._settle(id, frame)
            case Refused(error=error) if error.code == ShuttingDown.code:
                self.leaving = True  # the call stays with us, for the replacement
            case Refused(id=id, error=error):
                self._settle(id, from_info(error))
            case Pong(vitals=vitals):
                self.pong = vitals
            case Ready() as ready if not self.loaded.done():
                self.loaded.set_result(ready)
            case Failed(error=error) if not self.loaded.done():
                self.loaded.set_exception(from_info(error))
            case unexpected:
                log.error("unexpected_message", message_type=type(unexpected).__name__)

    # -- asyncio.BufferedProtocol ------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        del sizehint
        return self._reader.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Act on the frames that the bytes complete; garbage ends the worker."""
        try:
            for frame in self._reader.received(nbytes):
                self._obey(frame)
        except ProtocolError:
            log.exception("worker_sent_garbage", pid=self.pid)
            self.kill()
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """The worker has gone, or is about to."""
        del error
        self.leaving = True
        self._lost.set()


def retrieve(future: asyncio.Future[Any]) -> None:
    """Look at an exception that nobody may wait for, so that asyncio does not complain."""
    if not future.cancelled():
        future.exception()
