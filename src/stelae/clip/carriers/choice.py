"""The way to an address; what its protocol needs is loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from stelae.clip.carriers.address import Address
from stelae.clip.carriers.base import Way
from stelae.clip.carriers.failing import missing

HOMES = {"grpc": "by_grpc", "http": "by_http", "ws": "by_socket"}


def way_to(address: Address, token: str | None, prefetch: int) -> Way:
    """A way to the server, not open yet.

    Args:
        address: Of the server.
        token: What the caller may show, sent verbatim.
        prefetch: Most requests under way at once.

    Raises:
        MissingDependency: A package that the protocol needs is not installed.
    """
    try:
        module = import_module(f"stelae.clip.carriers.{HOMES[address.protocol]}")
    except ModuleNotFoundError as error:
        raise missing(str(error.name), address.url) from error
    return cast(Way, module.way(address, token, prefetch))
