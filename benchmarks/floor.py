"""What a request costs a server in Python that does next to nothing, beside this one.

``bare`` answers whatever it reads with the same bytes. ``parsed`` also reads HTTP and JSON and
writes a vector in base64. ``passed on`` has another process make the vector, as this server does,
without a model there. ``without a model`` is this server, whose worker answers at once: what is
between it and the one before is what a server is for. The rest is the model.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import httptools
import msgspec
import psutil
import uvloop

from benchmarks import checkpoint, report, servers
from benchmarks.load import Load, run
from benchmarks.servers import Contender, running
from benchmarks.texts import texts
from stelae.config import Settings
from stelae.server import run as stelae

WIDTH = 384
VECTOR = bytes(4 * WIDTH)
OURS = "without a model"
KINDS = ("bare", "parsed", "passed on", OURS)
WARM_SECONDS = 0.5
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
FRAME = struct.Struct("<I")


def _answer(vector: bytes) -> bytes:
    encoded = base64.b64encode(vector).decode()
    body = msgspec.json.encode(
        {
            "object": "list",
            "model": "bench",
            "data": [{"object": "embedding", "index": 0, "embedding": encoded}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }
    )
    return (HEAD % len(body)).encode() + body


ANSWER = _answer(VECTOR)


class Question(msgspec.Struct):
    """What is asked."""

    model: str = ""
    input: list[str] | str = ""
    encoding_format: str = "float"


class Bare(asyncio.Protocol):
    """Answers whatever it reads."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        """A connection is open."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self.transport.write(ANSWER)


class Parsed(Bare):
    """Reads requests and answers with a vector."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        self._body += body

    def on_message_complete(self) -> None:
        """A request is whole."""
        question, self._body = self._body, b""
        self.asked(msgspec.json.decode(question, type=Question) if question else Question())

    def asked(self, question: Question) -> None:
        """Find the answer."""
        self.answered(VECTOR)

    def answered(self, vector: bytes) -> None:
        """Tell the answer."""
        self.transport.write(_answer(vector))


class Frames(asyncio.Protocol):
    """One end of a socket between two processes: calls or answers of a known length."""

    def __init__(self) -> None:
        self._left = b""
        self.transport: Any = None
        self.waiting: deque[Parsed] = deque()

    def connection_made(self, transport: Any) -> None:
        """A connection is open."""
        self.transport = transport

    def send(self, content: bytes) -> None:
        """Write a frame."""
        self.transport.write(FRAME.pack(len(content)) + content)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        data, at = self._left + data, 0
        while len(data) >= at + FRAME.size:
            (size,) = FRAME.unpack_from(data, at)
            if len(data) < at + FRAME.size + size:
                break
            self.came(data[at + FRAME.size : at + FRAME.size + size])
            at += FRAME.size + size
        self._left = data[at:]

    def came(self, content: bytes) -> None:
        """A frame has come."""
        self.waiting.popleft().answered(content)


class Worker(Frames):
    """The other end: a vector for each call."""

    def came(self, content: bytes) -> None:
        """A frame has come."""
        self.send(VECTOR)


async def _serve(kind: str, port: int, other: socket.socket | None) -> None:
    loop = asyncio.get_running_loop()
    protocol: type[Bare] = Bare if kind == "bare" else Parsed
    if other is not None:
        _, frames = await loop.create_connection(Frames, sock=other)

        class Passed(Parsed):
            def asked(self, question: Question) -> None:
                frames.waiting.append(self)
                frames.send(msgspec.msgpack.encode(question))

        protocol = Passed
    server = await loop.create_server(protocol, "127.0.0.1", port)
    await server.serve_forever()


async def _work(other: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    worker = Worker()
    worker.connection_lost = lambda _: gone.set_result(None)  # type: ignore[method-assign,assignment]
    await loop.create_connection(lambda: worker, sock=other)
    await gone


def serve(kind: str, port: int) -> None:
    """Serve until killed."""
    if kind == OURS:
        given: dict[str, Any] = {
            "models": {"bench": {"source": "embedded", "engine": "fake"}},
            "listen": (f"http://127.0.0.1:{port}",),
            "log": {"level": "warning"},
        }
        stelae.serve(Settings(**given), ["bench"])
        return
    if kind != "passed on":
        uvloop.run(_serve(kind, port, None))
        return
    here, there = socket.socketpair()
    if os.fork():
        there.close()
        uvloop.run(_serve(kind, port, here))
    else:
        here.close()
        uvloop.run(_work(there))


def _contender(kind: str) -> Contender:
    command = (sys.executable, "-m", "benchmarks", "floor", "--serve", kind, "--port", "{port}")
    return Contender(kind, command, "/v1/embeddings", "/readyz" if kind == OURS else "/")


def _own_seconds(process: psutil.Process) -> float:
    """Processor time of the first process of a server."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main(arguments: Sequence[str]) -> None:
    """Print processor time per request and requests/s, all in turn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks floor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.serve, options.port)
        return
    report.machine("stelae", "uvloop", "httptools", "msgspec")
    given = texts("short", 1024, checkpoint.tokenizer())
    ours = replace(servers.stelae("auto"), name="stelae, model and all")
    rows = []
    with running([*map(_contender, KINDS), ours]) as started:
        for flight in (1, 16, 64):
            found: dict[str, list[tuple[float, float, float]]] = {}
            for _ in range(options.rounds):
                for server in started:
                    seconds = options.seconds
                    load = Load(server.url, "bench", given, flight, 1, seconds, WARM_SECONDS, True)
                    before = _own_seconds(server.process)
                    made = run(load, server.process)
                    asked = made.texts_per_second
                    first = (_own_seconds(server.process) - before) / (seconds + WARM_SECONDS)
                    costs = 1e6 * made.cpu / seconds / asked, 1e6 * first / asked
                    found.setdefault(server.contender.name, []).append((*costs, asked))
            for name, values in found.items():
                cost, own, rate = (median(column) for column in zip(*values, strict=True))
                rows.append([name, flight, f"{cost:.0f}", f"{own:.0f}", f"{rate:,.0f}"])
    columns = ["", "in flight", "µs of processor time a request", "of the gateway", "requests/s"]
    report.table("short texts, vectors in base64", columns, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
