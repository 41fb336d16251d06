"""Messages of the server's own gRPC services, to and from bytes."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError


def read(kind: Any, data: bytes) -> Any:
    """A message.

    Raises:
        ValueError: The bytes are none.
    """
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise ValueError(f"no {kind.DESCRIPTOR.name}: {error}") from error


def written(message: Any) -> bytes:
    """Its bytes."""
    data: bytes = message.SerializeToString()
    return data
