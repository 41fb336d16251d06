"""What the clients must find of the server itself; see ``driver.py`` and ``either.py``.

Each function is one row of the compatibility table: its docstring is what the row says.
"""

from __future__ import annotations

from either import KEY, Place, Skip

__all__ = ["Place", "Skip"]


async def check_open(place: Place) -> None:
    """A server without keys needs no login, and takes any key"""
    async with place.client(api_key="any") as c:
        assert not c.inner._cluster_authed
        assert await c.login("any", "any") is None
        assert isinstance(await c.list_models(), dict)


async def check_keyed(place: Place) -> None:
    """A server with keys is asked with one of them, and refuses others with a sentence"""
    async with place.client(place.locked, api_key=KEY) as c:
        assert isinstance(await c.list_models(), dict)
    async with place.client(place.locked, api_key="wrong") as c:
        await place.raised(c.list_models(), "Failed to list model, detail: ", "key")
