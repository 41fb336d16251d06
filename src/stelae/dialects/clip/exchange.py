"""One message of protobuf to its answer, for the carriers that send several on one stream."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from stelae.dialects.ask import caller_of, offload
from stelae.dialects.base import Asking, Rooms, record_of
from stelae.dialects.clip.asked import COPIES, Asked, Told, Visit
from stelae.dialects.clip.core import answer
from stelae.dialects.clip.counting import counted
from stelae.dialects.clip.errors import is_transient, status_of
from stelae.dialects.clip.protobuf import FORM
from stelae.dialects.clip.schema import StatusTold
from stelae.dialects.clip.timing import stages
from stelae.errors import InvalidInput, QueueFull, StelaeError
from stelae.wire.clip import structs
from stelae.wire.clip.messages import DataRequest, DecodeError, Document, Status
from stelae.wire.clip.names import SUCCESS

PATIENCE = 30.0
"""Seconds that a message waits for room in the queue; its stream is bounded by itself."""

PAUSE = 0.25
"""Longest time between two tries."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        data: The message.
        failed: Whether it tells an error.
    """

    data: bytes
    failed: bool


async def exchange(
    data: bytes, asking: Asking, rooms: Rooms, most_bytes: int | None = None
) -> Reply:
    """Answer a request; what is wrong with it is told in the answer's header.

    Args:
        data: The message.
        asking: Who asks.
        rooms: The rooms that may be entered.
        most_bytes: Largest answer that the caller takes.

    Raises:
        InvalidInput: It is no message.
        StelaeError: The server cannot answer now.
    """
    told = Told()
    message = await offload(len(data), parse, data)
    asking.hold(COPIES * len(data))
    with counted(asking, rooms) as own:
        status = await _status(message, Visit(rooms, own, caller_of(own), len(data)), told)
    finish(message, told, status)
    if most_bytes is not None and message.ByteSize() > most_bytes:
        status = status_of(_too_large(message, most_bytes))
        del message.data.docs.docs[:]
        fill(message.header.status, status)
    return Reply(await offload(len(data), message.SerializeToString), status is not None)


def parse(data: bytes) -> DataRequest:
    """A request.

    Raises:
        InvalidInput: The bytes are none, or nested too deeply, or have text that is not UTF-8.
    """
    try:
        return DataRequest.FromString(data)
    except DecodeError as error:
        raise InvalidInput(f"the message is no jina.DataRequestProto: {error}") from error


async def _status(message: DataRequest, visit: Visit, told: Told) -> StatusTold | None:
    try:
        await _patiently(asked_of(message), visit, told)
    except StelaeError as error:
        if is_transient(error):
            raise
        record_of(visit.request).error = error.code
        return status_of(error)
    return None


async def _patiently(asked: Asked[Document], visit: Visit, told: Told) -> None:
    """Answer, and wait while too much is under way: the stream holds its sender back."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return await answer(asked, visit, told)
        except QueueFull as error:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(min(PAUSE, error.retry_after or PAUSE))


def asked_of(message: DataRequest) -> Asked[Document]:
    """What a message asks for.

    Raises:
        InvalidInput: Its documents are a pickle, or its parameters are nested too deeply.
    """
    if message.data.WhichOneof("documents") == "docs_bytes":
        message.data.ClearField("docs_bytes")
        raise InvalidInput(
            "docs_bytes holds a pickled payload, which is refused unread; send the documents as "
            "messages of protobuf, in docs",
            param="docs_bytes",
        )
    parameters = structs.plain(message.parameters)
    return Asked(message.header.exec_endpoint, parameters, list(message.data.docs.docs), FORM)


def finish(message: DataRequest, told: Told, status: StatusTold | None) -> None:
    """Make a request its own answer: its documents are filled already."""
    message.data.docs.SetInParent()  # Quirk: clip-client 0.8.3 looks for documents in any answer.
    if told.docs is not None:
        del message.data.docs.docs[:]
        message.data.docs.docs.extend(told.docs)
    if status is not None:
        fill(message.header.status, status)
    elif told.description:
        message.header.status.code = SUCCESS
        message.header.status.description = told.description
    del message.routes[:]
    for name, start, end in stages(told, time.time_ns()):
        route = message.routes.add()
        route.executor = name
        route.start_time.seconds, route.start_time.nanos = divmod(start, 1_000_000_000)
        route.end_time.seconds, route.end_time.nanos = divmod(end, 1_000_000_000)


def _too_large(message: DataRequest, most_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"the answer to {len(message.data.docs.docs)} documents has {message.ByteSize()} bytes; "
        f"clients take at most {most_bytes} on a WebSocket; lower batch_size, let "
        "drop_image_content be true, or use grpc",
        param="batch_size",
    )


def fill(message: Status, status: StatusTold) -> None:
    """Put a status into its message."""
    message.code, message.description = status.code, status.description
    if (error := status.exception) is not None:
        message.exception.name = error.name
        message.exception.args[:] = error.args
