"""Pools that a client of ``stelae.sie`` made live for as long as it is open."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from live import Live, live, until

from stelae.errors import ServerUnreachable
from stelae.sie import SIEAsyncClient, SIEClient
from stelae.sie._async.renewal import AsyncRenewal
from stelae.types import LEASE_SECONDS, Pool

OFTEN = LEASE_SECONDS / 0.01
"""Renewals in a lease, such that a hundredth of a second lies between two."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live() as made:
        yield made


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    for side in ("_async", "_sync"):
        monkeypatch.setattr(f"stelae.sie.{side}.renewal.RENEWALS", OFTEN)


async def renewed(server: Live, name: str, times: int = 3) -> None:
    """Wait until a pool was renewed, and so often."""
    for _ in range(times):
        before = server.house.pools.get(name).last_renewed
        await until(lambda seen=before: server.house.pools.get(name).last_renewed > seen)


def under_way() -> list[asyncio.Task[object]]:
    """What renews pools at this moment."""
    return [task for task in asyncio.all_tasks() if "AsyncRenewal" in repr(task)]


async def test_pools_that_were_made_are_renewed_until_the_client_is_closed(server: Live) -> None:
    client = SIEAsyncClient(server.url)
    await client.create_pool("One")
    await client.create_pool("two")
    await renewed(server, "one")
    await renewed(server, "two")
    assert len(under_way()) == 1
    await client.close()
    assert not under_way()
    assert server.house.pools.get("one").spec.name == "One"


async def test_the_pool_of_a_client_is_renewed_from_its_first_call(server: Live) -> None:
    async with SIEAsyncClient(server.url, pool={"name": "own"}) as client:
        await client.encode("fake", {"text": "a"})
        await renewed(server, "own")


async def test_a_client_without_pools_renews_nothing(server: Live) -> None:
    async with SIEAsyncClient(server.url) as client:
        await client.get_pool("default")
        assert not under_way()


async def test_the_blocking_client_renews_in_a_thread_that_ends_with_it(server: Live) -> None:
    before = set(threading.enumerate())
    client = SIEClient(server.url)
    await asyncio.to_thread(client.create_pool, "blocking")
    made = [t for t in set(threading.enumerate()) - before if t.name == "stelae-request"]
    assert len(made) == 1
    assert made[0].daemon
    await renewed(server, "blocking")
    client.close()
    await until(lambda: not made[0].is_alive())


async def test_a_pool_that_ended_elsewhere_is_told_once(
    server: Live, caplog: pytest.LogCaptureFixture
) -> None:
    async with SIEAsyncClient(server.url) as client:
        await client.create_pool("stays")
        await client.create_pool("goes")
        with caplog.at_level(logging.WARNING, "stelae.sie"):
            server.house.pools.delete("goes")
            await until(lambda: bool(caplog.records))
            await renewed(server, "stays")
    (record,) = caplog.records
    assert "pool 'goes' is not renewed any more" in record.getMessage()


async def test_a_pool_that_its_client_deletes_is_no_trouble(
    server: Live, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "stelae.sie"):
        async with SIEAsyncClient(server.url) as client:
            await client.create_pool("stays")
            await client.create_pool("goes")
            assert await client.delete_pool("GOES")
            await renewed(server, "stays")
    assert not caplog.records


async def test_a_server_that_is_away_is_told_once_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[str] = []

    async def away(name: str) -> Pool:
        asked.append(name)
        raise ServerUnreachable("nobody is there")

    renewal = AsyncRenewal(away)
    with caplog.at_level(logging.WARNING, "stelae.sie"):
        await renewal.keep("p", LEASE_SECONDS)
        await until(lambda: len(asked) >= 5)
    await renewal.close()
    assert [r.getMessage() for r in caplog.records] == [
        "pool 'p' could not be renewed: nobody is there"
    ]
