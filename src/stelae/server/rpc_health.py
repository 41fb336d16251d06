"""The health of the server as gRPC's own service tells it (grpc.health.v1).

Source: the gRPC health checking protocol. Its request has one string and its answer one
number, both of field 1, which is also how the standard wrapper messages are written.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from stelae.dialects.answers import house_error
from stelae.dialects.base import Asking, Dialect, Rooms, Rpc
from stelae.errors import NotFound

SERVING, NOT_SERVING = 1, 2


def health(methods: Iterable[Rpc]) -> Dialect:
    """The service as a dialect.

    Args:
        methods: All others; each of their services can be asked for, and ``""`` for the server.
    """
    services = {"", *(rpc.method.split("/")[1] for rpc in methods)}

    async def check(service: str, asking: Asking, rooms: Rooms) -> int:
        del asking
        if service not in services:
            raise NotFound(f"no service {service[:100]!r} is here")
        return SERVING if rooms.fleet.ready().ready else NOT_SERVING

    rpc = Rpc(
        method="/grpc.health.v1.Health/Check",
        handle=check,
        decode=_read,
        encode=lambda status: Int32Value(value=status).SerializeToString(),
        summary="Whether the server is ready; see GET /readyz.",
        open=True,
        quiet=True,
    )
    return Dialect("server", "Health", (), house_error, rpcs=(rpc,))


def _read(message: bytes) -> str:
    try:
        return str(StringValue.FromString(message).value)
    except DecodeError as error:
        raise ValueError(f"no request of the health service: {error}") from error
