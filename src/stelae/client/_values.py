"""What a server says of itself."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.types import ModelInfo


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server as it describes itself.

    Attributes:
        version: Version of Stelae it runs.
        uptime_s: Seconds since it was ready.
        limits: Its limits by name, in the units that the name ends with.
        listen: Addresses it listens on; empty for models in this process.
        pid: Its process.
    """

    version: str
    uptime_s: float = 0.0
    limits: dict[str, Any] = {}
    listen: tuple[str, ...] = ()
    pid: int | None = None


class ModelList(msgspec.Struct, frozen=True):
    """The models a server knows."""

    models: list[ModelInfo]
