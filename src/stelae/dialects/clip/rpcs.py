"""The protocol over gRPC."""

from __future__ import annotations

from stelae.dialects.base import Asking, Flow, Rooms, Rpc
from stelae.dialects.clip.asked import STRANGER_BYTES
from stelae.dialects.clip.core import VERBS
from stelae.dialects.clip.exchange import asked_of, exchange, parse
from stelae.wire.clip.messages import Endpoints, JinaInfo, Status
from stelae.wire.clip.names import (
    CALL,
    DRY_RUN,
    ENDPOINTS,
    IN_ORDER,
    INFO,
    PREFETCH,
    SINGLE,
)

PATHS = ("/", *(f"/{verb}" for verb in VERBS))
"""Endpoints that mean something."""

WRITING = ("/index", "/update", "/delete")


def flow(asking: Asking) -> Flow:
    """How the caller wants its stream to be worked on."""
    given = asking.headers.get(PREFETCH, "")
    at_once = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    in_order = asking.headers.get(IN_ORDER, "").lower() == "true"
    return Flow(at_once=at_once or None, in_order=in_order)


async def answer(data: bytes, asking: Asking, rooms: Rooms) -> bytes:
    """Do with the documents of a message what its endpoint says."""
    return (await exchange(data, asking, rooms)).data


async def stranger(data: bytes, asking: Asking, rooms: Rooms) -> bytes | None:
    """Answer a message that asks for nothing: ``profile()`` without content shows no key."""
    if len(data) > STRANGER_BYTES or not asked_of(parse(data)).empty:
        return None
    return await answer(data, asking, rooms)


async def dry_run(data: bytes, asking: Asking, rooms: Rooms) -> bytes:
    """Ready to be asked."""
    del data, asking, rooms
    return Status().SerializeToString()


async def endpoints(data: bytes, asking: Asking, rooms: Rooms) -> bytes:
    """What may be asked."""
    del data, asking, rooms
    told = Endpoints()
    told.endpoints[:] = PATHS
    told.write_endpoints[:] = WRITING
    return told.SerializeToString()


async def info(data: bytes, asking: Asking, rooms: Rooms) -> bytes:
    """What answers here."""
    del data, asking
    told = JinaInfo()
    told.jina["stelae"] = rooms.about.version
    return told.SerializeToString()


# Messages are read and written by their handlers, large ones beside the event loop.
RPCS = (
    Rpc(
        method=CALL,
        handle=answer,
        decode=bytes,
        encode=bytes,
        summary="Encode, rank, index or search documents, many requests on one stream.",
        streams=True,
        flow=flow,
        stranger=stranger,
    ),
    Rpc(
        method=SINGLE,
        handle=answer,
        decode=bytes,
        encode=bytes,
        summary="Encode, rank, index or search documents.",
    ),
    Rpc(
        method=DRY_RUN,
        handle=dry_run,
        decode=bytes,
        encode=bytes,
        summary="Ready to be asked.",
        open=True,
        quiet=True,
    ),
    Rpc(
        method=ENDPOINTS,
        handle=endpoints,
        decode=bytes,
        encode=bytes,
        summary="What may be asked.",
        quiet=True,
    ),
    Rpc(
        method=INFO,
        handle=info,
        decode=bytes,
        encode=bytes,
        summary="What answers here.",
        quiet=True,
    ),
)
