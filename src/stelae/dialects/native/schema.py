"""Messages of Stelae's own protocol that are not values of the house already."""

from __future__ import annotations

import msgspec

from stelae.types import ComputeDtype, ModelInfo


class ModelsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Every model the server knows."""

    models: list[ModelInfo]


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to load a model.

    Attributes:
        engine: Engine to use and no other.
        dtype: Number format to compute in.
    """

    engine: str | None = None
    dtype: ComputeDtype | None = None


class ServerResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The server itself.

    Attributes:
        version: Of Stelae.
        pid: Process id of the gateway.
        uptime_s: Seconds since its start.
        listen: Addresses served on.
        limits: What is accepted before requests are refused.
    """

    version: str
    pid: int
    uptime_s: float
    listen: tuple[str, ...]
    limits: dict[str, int | float]
