"""The worker: one process, one engine, one connection to the server that started it.

    python -m stelae.cluster.worker --fd N

The main thread reads frames and submits calls; answers leave from the thread
that has them. The process ends when its connection does, so it never outlives
the server, however that ends. SIGTERM lets it finish what it has accepted.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import Future
from types import FrameType
from typing import Any

from stelae.cluster import engines, messages
from stelae.cluster.deployment import Deployment
from stelae.cluster.frames import Frame, FrameReader
from stelae.cluster.memory import resident_bytes, settle
from stelae.cluster.messages import (
    Cancel,
    Credit,
    Done,
    Failed,
    Infer,
    Load,
    Part,
    Ping,
    Pong,
    Ready,
    Refused,
)
from stelae.cluster.outbox import Outbox
from stelae.cluster.vitals import Vitals, vitals
from stelae.errors import Cancelled, EngineFailed, ModelNotReady, StelaeError
from stelae.scheduler.choice import AnyRunner, runner_of
from stelae.scheduler.streams import Stream, StreamRunner
from stelae.telemetry.log import configure, get

log = get()

GRACE_SECONDS = 1.0
"""How long SIGTERM changes nothing. A service manager sends it to the server too, which
then finishes what it has accepted, with this worker's help, and hangs up."""

DRAIN_SECONDS = 30.0
"""How long it then waits for accepted calls; whoever sent it may be less patient."""

FLUSH_SECONDS = 5.0
"""How long the last answers wait for a server that does not read."""


class Worker:
    """Serves one connection until it closes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._outbox = Outbox(connection)
        self._runner: AnyRunner | None = None
        self._running: dict[int, Future[Any]] = {}
        self._streams: dict[int, Stream] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)

    def serve(self) -> None:
        """Read frames until the other side closes.

        Raises:
            ProtocolError: The other side sent what is no frame or message.
        """
        reader = FrameReader()
        while count := self._receive(reader):
            for frame in reader.received(count):
                self._obey(frame)
        self._outbox.flush(FLUSH_SECONDS)

    def drain(self) -> None:
        """After a grace, refuse calls, answer those accepted, then make ``serve`` return."""
        time.sleep(GRACE_SECONDS)
        if self._runner is not None:
            self._runner.drain(DRAIN_SECONDS)
        with self._lock:
            self._idle.wait_for(lambda: not self._running, FLUSH_SECONDS)
        self._connection.shutdown(socket.SHUT_RD)

    def _receive(self, reader: FrameReader) -> int:
        try:
            return self._connection.recv_into(reader.room())
        except ConnectionError:
            return 0

    def _obey(self, frame: Frame) -> None:
        match messages.read(frame):
            case Infer() as infer:
                self._infer(infer, frame)
            case Cancel(id=id):
                if future := self._running.get(id):
                    future.cancel()
            case Credit(id=id, count=count):
                if stream := self._streams.get(id):
                    stream.grant(count)
            case Ping():
                self._outbox.send(messages.write(self._pong()))
            case Load(deployment=deployment):
                # Beside the reader, so that a server that goes away ends the load as well.
                threading.Thread(target=self._load, args=(deployment,), daemon=True).start()
            case unexpected:
                log.error("unexpected_message", message_type=type(unexpected).__name__)

    def _load(self, deployment: Deployment) -> None:
        try:
            deployment, engine = engines.load(deployment)
        except StelaeError as error:
            self._outbox.send(messages.write(Failed(error.info)))
            return
        self._runner = runner_of(engine, deployment.limits, self._outbox.gathered)
        settle()
        ready = Ready(engine.info, resident_bytes(), deployment.engine, deployment.reason)
        self._outbox.send(messages.write(ready))

    def _infer(self, infer: Infer, frame: Frame) -> None:
        if self._runner is None:
            self._refuse(infer.id, ModelNotReady("the model is still loading", retry_after=1.0))
            return
        try:
            call = messages.read_call(infer.task, frame.buffers)
        except StelaeError as error:
            self._refuse(infer.id, error)
            return
        future = self._submit(self._runner, infer, call)
        with self._lock:
            self._running[infer.id] = future
        future.add_done_callback(lambda done: self._settle(infer.id, done))

    def _submit(self, runner: AnyRunner, infer: Infer, call: Any) -> Future[Any]:
        if not isinstance(runner, StreamRunner):
            return runner.submit(call, timeout=infer.timeout, urgent=infer.urgent)

        def emit(pieces: list[Any]) -> None:
            self._outbox.send(messages.write(Part(infer.id), messages.payload(pieces)))

        stream = runner.submit(call, timeout=infer.timeout, emit=emit)
        self._streams[infer.id] = stream
        return stream.future

    def _settle(self, id: int, future: Future[Any]) -> None:
        self._answer(id, future)
        with self._lock:
            del self._running[id]
            self._streams.pop(id, None)
            if not self._running:
                self._idle.notify_all()

    def _answer(self, id: int, future: Future[Any]) -> None:
        if future.cancelled():
            self._refuse(id, Cancelled("the caller left before the answer was ready"))
        elif error := future.exception():
            self._refuse(id, _as_ours(error))
        else:
            self._give(id, future.result())

    def _give(self, id: int, result: Any) -> None:
        try:
            frame = messages.write(Done(id), messages.payload(result))
        except StelaeError as error:
            self._refuse(id, error)
        else:
            self._outbox.send(frame)

    def _refuse(self, id: int, error: StelaeError) -> None:
        self._outbox.send(messages.write(Refused(id, error.info)))

    def _pong(self) -> Pong:
        if self._runner is None:
            return Pong(Vitals(memory_bytes=resident_bytes()))
        return Pong(vitals(self._runner))


def _as_ours(error: BaseException) -> StelaeError:
    if isinstance(error, StelaeError):
        return error
    return EngineFailed(f"the model failed: {type(error).__name__}: {error}")


def _end(reason: threading.ExceptHookArgs) -> None:
    """End the process when one of its threads ends in an error, for the server to replace it."""
    threading.__excepthook__(reason)
    sys.stderr.flush()
    os._exit(1)


def main() -> None:
    """Serve the inherited socket, then end at once, whatever other threads do."""
    parser = argparse.ArgumentParser(prog="stelae worker")
    parser.add_argument("--fd", type=int, required=True, help="number of the inherited socket")
    parser.add_argument("--log", choices=("console", "json"), default="console")
    parser.add_argument("--log-level", default="info")
    options = parser.parse_args()
    configure(json=options.log == "json", level=options.log_level)
    descriptor: int = options.fd
    os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the server, which decides
    worker = Worker(socket.socket(fileno=descriptor))

    def drain(number: int, frame: FrameType | None) -> None:
        del number, frame
        threading.Thread(target=worker.drain, name="stelae-drain", daemon=True).start()

    signal.signal(signal.SIGTERM, drain)
    threading.excepthook = _end
    worker.serve()
    sys.stderr.flush()
    # Threads of model libraries must not hold up, or crash, the end of a process
    # that owns nothing but memory.
    os._exit(0)


if __name__ == "__main__":
    main()
