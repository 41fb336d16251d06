"""What ``stelae.sie`` has over the examples of SIE's reference, against a server of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from live import Live, live

from stelae.sie import Item, RequestError, SIEAsyncClient, SIEClient, SIEConnectionError, SIEError
from stelae.types import Timing
from stelae.wire.sie.timing import timing_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sesame"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live(api_keys=[KEY]) as made:
        await made.house.fleet.load("fake")
        yield made


@pytest.mark.parametrize(
    ("mode", "key", "absent"),
    [("auto", "workers", "gpus"), ("cluster", "workers", "gpus"), ("worker", "gpus", "workers")],
)
async def test_watch_tells_again_and_again(mode: str, key: str, absent: str, server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        seen = []
        async for message in client.watch(mode=mode):  # type: ignore[arg-type]
            seen.append(message)
            if len(seen) == 2:
                break
    assert seen[0]["timestamp"] < seen[1]["timestamp"]
    assert all(key in message and absent not in message for message in seen)


async def test_watch_of_the_blocking_client_tells_the_same(server: Live) -> None:
    def first() -> dict[str, object]:
        with SIEClient(server.url, api_key=KEY) as client:
            watching = client.watch(mode="worker")
            told = dict(next(watching))
            watching.close()
            return told

    assert {"ready", "loaded_models", "models"} <= (await asyncio.to_thread(first)).keys()


async def test_watch_ends_when_the_server_stops() -> None:
    async with live() as stopping, SIEAsyncClient(stopping.url) as client:
        seen = 0
        async for _ in client.watch(mode="worker"):
            seen += 1
            stopping.gateway.stop()
    assert seen >= 1


async def test_watch_that_is_refused_says_why(server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key="wrong") as client:
        with pytest.raises(RequestError, match="key") as caught:
            await anext(client.watch())
        assert (caught.value.code, caught.value.status_code) == ("UNAUTHORIZED", 401)
        with pytest.raises(RequestError, match="mode='all' is not one of"):
            await anext(client.watch(mode="all"))  # type: ignore[arg-type]


async def test_watch_without_a_server_is_a_broken_connection() -> None:
    async with SIEAsyncClient("http://127.0.0.1:9") as client:
        with pytest.raises(SIEConnectionError):
            await anext(client.watch())


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n", b"no HTTP"]
)
async def test_watch_of_something_else_is_an_error(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        host, port = other.sockets[0].getsockname()
        async with SIEAsyncClient(f"http://{host}:{port}") as client:
            with pytest.raises(SIEError):
                await anext(client.watch())


async def test_every_result_tells_where_the_time_went(server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        one = await client.encode("fake", Item(text="a"))
        many = await client.encode("fake", [Item(text=str(n)) for n in range(300)])
    for result in (one, *many):
        assert result["timing"].keys() == timing_of(Timing()).keys()
        assert result["timing"]["total_ms"] > 0
        assert result["timing"]["inference_ms"] <= result["timing"]["total_ms"]


async def test_pools_keep_what_they_are_told(server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        await client.create_pool("p", {"cpu": 1}, {"cpu": 3}, "b", 1, ["fake"], queue_pool="q")
        pool = await client.get_pool("p")
        assert pool is not None
        assert pool["spec"] == {
            "name": "p",
            "gpus": {"cpu": 1},
            "gpu_caps": {"cpu": 3},
            "bundle": "b",
            "minimum_worker_count": 1,
            "pinned_models": ["fake"],
            "queue_pool": "q",
        }
        await client.delete_pool("p")


async def test_the_asynchronous_client_closes_under_either_name(server: Live) -> None:
    for name in ("close", "aclose"):
        client = SIEAsyncClient(server.url, api_key=KEY)
        assert client.base_url == server.url
        assert (await client.encode("fake", Item(text="a")))["dense"].dtype == np.float32
        await getattr(client, name)()
        with pytest.raises(RuntimeError, match="closed"):
            await client.encode("fake", Item(text="a"))
    assert not hasattr(SIEClient, "aclose")
