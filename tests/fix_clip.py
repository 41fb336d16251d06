"""A server that speaks CLIP's three protocols and answers as a test says."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import orjson
import uvicorn
from websockets.asyncio.server import ServerConnection, serve

from stelae.wire.clip import arrays, structs
from stelae.wire.clip.messages import DataRequest, Document
from stelae.wire.clip.names import CALL, END

Answering = Callable[[DataRequest], Awaitable[DataRequest]]

PROTOCOLS = ("grpc", "ws", "http")


def vector_of(document: Document) -> list[float]:
    """What the server makes of a document: the lengths of its text, its bytes and its pixels."""
    return [len(document.text), len(document.blob), len(document.tensor.dense.buffer)]


async def encoded(request: DataRequest) -> DataRequest:
    """Every document with its vector."""
    answer = DataRequest()
    answer.CopyFrom(request)
    for route in ("gateway", "model"):
        answer.routes.add(executor=route).end_time.FromNanoseconds(2_000_000)
    for document in answer.data.docs.docs:
        embed(document)
    return answer


def embed(document: Document) -> None:
    if document.text or document.blob or document.HasField("tensor"):
        arrays.fill(document.embedding, np.array(vector_of(document), np.float32))
    document.ClearField("blob")
    for inner in document.chunks:
        embed(inner)


def failed(request: DataRequest, name: str, message: str) -> DataRequest:
    """An answer that says that the whole request failed."""
    answer = DataRequest()
    answer.CopyFrom(request)
    answer.header.status.code = 1
    answer.header.status.description = message
    answer.header.status.exception.name = name
    return answer


@asynccontextmanager
async def serving(protocol: str, answering: Answering = encoded) -> AsyncIterator[str]:
    """A server on a free port of this machine.

    Args:
        protocol: One of ``PROTOCOLS``.
        answering: What it answers; answers are sent as they are ready.
    """
    async with {"grpc": _grpc, "ws": _socket, "http": _http}[protocol](answering) as port:
        yield f"{protocol}://127.0.0.1:{port}"


@asynccontextmanager
async def _grpc(answering: Answering) -> AsyncIterator[int]:
    async def handle(requests: AsyncIterator[DataRequest], context: Any) -> None:
        turn = asyncio.Lock()  # gRPC takes one message at a time
        async with asyncio.TaskGroup() as group:
            async for request in requests:
                group.create_task(one(request, context, turn))

    async def one(request: DataRequest, context: Any, turn: asyncio.Lock) -> None:
        answer = await answering(request)
        async with turn:
            await context.write(answer)

    service, _, method = CALL[1:].partition("/")
    handler = grpc.stream_stream_rpc_method_handler(
        handle, DataRequest.FromString, DataRequest.SerializeToString
    )
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@asynccontextmanager
async def _socket(answering: Answering) -> AsyncIterator[int]:
    async def handle(connection: ServerConnection) -> None:
        async with asyncio.TaskGroup() as group:
            async for data in connection:
                if data == END:
                    break
                group.create_task(one(connection, DataRequest.FromString(bytes(data))))

    async def one(connection: ServerConnection, request: DataRequest) -> None:
        await connection.send((await answering(request)).SerializeToString())

    async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def _http(answering: Answering) -> AsyncIterator[int]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (part := await receive()).get("more_body") or part.get("body"):
            body += part["body"]
            if not part["more_body"]:
                break
        answer = _said(await answering(_request(orjson.loads(body))))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})

    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.005)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


def _request(said: dict[str, Any]) -> DataRequest:
    request = DataRequest()
    request.header.request_id = said["header"]["request_id"]
    request.header.exec_endpoint = said["exec_endpoint"]
    structs.fill(request.parameters, said["parameters"])
    for each in said["data"]:
        _document(request.data.docs.docs.add(), each)
    return request


def _document(document: Document, said: dict[str, Any]) -> None:
    for name in ("id", "text", "uri", "mime_type"):
        setattr(document, name, said.get(name, ""))
    document.blob = base64.b64decode(said.get("blob", ""))
    if not document.blob:
        document.ClearField("blob")
    if "text" in said:
        document.text = said["text"]
    if "tensor" in said:
        arrays.fill(document.tensor, np.array(said["tensor"], np.uint8))
    if "tags" in said:
        structs.fill(document.tags, said["tags"])
    for name in ("matches", "chunks"):
        for inner in said.get(name, ()):
            _document(getattr(document, name).add(), inner)


def _said(answer: DataRequest) -> dict[str, Any]:
    status = answer.header.status
    return {
        "header": {
            "requestId": answer.header.request_id,
            "status": {
                "code": status.code,
                "description": status.description,
                "exception": {"name": status.exception.name, "args": [], "stacks": []},
            },
            "execEndpoint": answer.header.exec_endpoint,
            "targetExecutor": "",
        },
        "parameters": structs.plain(answer.parameters),
        "routes": [
            {
                "executor": route.executor,
                "startTime": "1970-01-01T00:00:00+00:00",
                "endTime": "1970-01-01T00:00:00.002000+00:00",
                "status": None,
            }
            for route in answer.routes
        ],
        "data": [_answered(document) for document in answer.data.docs.docs],
    }


def _answered(document: Document) -> dict[str, Any]:
    said: dict[str, Any] = {"id": document.id, "text": document.text or None, "weight": None}
    if document.HasField("embedding"):
        said["embedding"] = arrays.read(document.embedding).tolist()
    if document.HasField("tags"):
        said["tags"] = structs.plain(document.tags)
    said["scores"] = {name: {"value": score.value} for name, score in document.scores.items()}
    for name in ("matches", "chunks"):
        said[name] = [_answered(inner) for inner in getattr(document, name)] or None
    return said
