"""Servers that do not answer as they should are told as what they are."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from fix_clip import PROTOCOLS, encoded, serving
from websockets.asyncio.server import ServerConnection, serve

from stelae.clip import Client
from stelae.errors import (
    EngineFailed,
    MissingDependency,
    ProtocolError,
    ServerUnreachable,
    StelaeError,
    Unauthorized,
)
from stelae.wire.clip.messages import DataRequest

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.mark.parametrize("protocol", ["grpc", "ws"])
async def test_an_answer_to_nothing_that_was_asked(protocol: str) -> None:
    async def answering(request: DataRequest) -> DataRequest:
        answer = await encoded(request)
        answer.header.request_id = "another"
        return answer

    async with serving(protocol, answering) as url:
        with pytest.raises(ProtocolError, match="a request that was not sent: 'another'"):
            await Client(url).aencode(["a"])


@every_protocol
async def test_an_answer_without_a_document(protocol: str) -> None:
    async def answering(request: DataRequest) -> DataRequest:
        answer = await encoded(request)
        del answer.data.docs.docs[1]
        return answer

    async with serving(protocol, answering) as url:
        with pytest.raises(ProtocolError, match="lacks 1 of 3 documents"):
            await Client(url).aencode(["a", "b", "c"])


async def test_a_profile_without_stations() -> None:
    async def answering(request: DataRequest) -> DataRequest:
        answer = await encoded(request)
        del answer.routes[1:]
        return answer

    async with serving("grpc", answering) as url:
        with pytest.raises(ProtocolError, match="names 1 stations, 2 were expected"):
            await asyncio.to_thread(Client(url).profile)


async def test_a_call_that_is_refused_at_once_tells_why() -> None:
    async def refuse(requests: object, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such key")

    handler = grpc.stream_stream_rpc_method_handler(refuse)
    server = grpc.aio.server()
    methods = grpc.method_handlers_generic_handler("jina.JinaRPC", {"Call": handler})
    server.add_generic_rpc_handlers((methods,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    for _ in range(40):
        with pytest.raises(Unauthorized, match="no such key"):
            await Client(f"grpc://127.0.0.1:{port}").aencode(["a"] * 50, batch_size=1)
    await server.stop(0)


async def says_nothing(connection: ServerConnection) -> None:
    await connection.recv()


async def says_nonsense(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.send(b"\xff\xff\xff")
    await connection.recv()


async def gives_up(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.close(1011, "the disk is gone")


async def breaks(connection: ServerConnection) -> None:
    await connection.recv()
    connection.transport.abort()


@pytest.mark.parametrize(
    ("handler", "kind", "said"),
    [
        (says_nothing, ServerUnreachable, "before it had answered"),
        (says_nonsense, ProtocolError, "what is no answer"),
        (gives_up, EngineFailed, "the disk is gone"),
        (breaks, ServerUnreachable, "closed the connection"),
    ],
)
async def test_sockets_that_end(
    handler: Callable[[ServerConnection], Awaitable[None]], kind: type[StelaeError], said: str
) -> None:
    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(kind, match=said):
            await Client(f"ws://127.0.0.1:{port}").aencode(["a"] * 3, batch_size=1)


STATUS = '{"header": {"status": {"code": 1, "description": "too busy"}}}'


@pytest.mark.parametrize(
    ("head", "body", "kind", "said"),
    [
        ("200 OK", "<html>", ProtocolError, "what is no answer"),
        ("200 OK", "[]", ProtocolError, "what is no answer"),
        ("200 OK", '{"header": {}, "data": [{"embedding": "x"}]}', ProtocolError, "no answer"),
        ("503 Busy", STATUS, ServerUnreachable, "answered 503: too busy"),
        ("500 Broken", "<html>", EngineFailed, "answered 500: <html>"),
        ("500 Broken", "[]", EngineFailed, r"answered 500: \[\]"),
    ],
)
async def test_pages_that_are_no_answers(
    head: str, body: str, kind: type[StelaeError], said: str
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        content = body.encode()
        writer.write(
            f"HTTP/1.1 {head}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        )
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(kind, match=said):
            await Client(f"http://127.0.0.1:{port}").aencode(["a"])


async def test_a_protocol_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, "stelae.clip.carriers.by_grpc", raising=False)
    with pytest.raises(MissingDependency, match=r"'grpc'.*stelae\[clip\]"):
        await Client("grpc://127.0.0.1:1").aencode(["a"])


def test_a_package_that_all_of_it_needs_is_named() -> None:
    code = "import sys; sys.modules['google.protobuf'] = None; import stelae.clip"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "stelae.clip needs the package 'google.protobuf" in done.stderr
    assert "pip install 'stelae[clip]'" in done.stderr
