"""What only the asynchronous client can do: asynchronous sources, and taking requests back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from unit.client._async.fix_client import client_of
from unit.client._async.fix_gate import AsyncGate
from unit.client.fix_server import Server

from stelae.errors import EngineFailed


async def texts(*given: str) -> AsyncIterator[str]:
    for text in given:
        yield text


async def test_asynchronous_source_is_read_in_order() -> None:
    async with client_of(Server()) as client:
        stream = client.encode(texts("a", "bb", "ccc"), batch_size=2)
        assert [encoding.dense[0] async for encoding in stream] == [1.0, 2.0, 3.0]


async def test_stopped_stream_takes_its_requests_back() -> None:
    gate, server = AsyncGate(), Server()

    async def handler(request: httpx.Request) -> httpx.Response:
        if msgspec.msgpack.decode(request.content)["items"][0]["text"] != "first":
            await gate.wait()
        return server(request)

    async with client_of(handler, max_in_flight=2) as client:
        stream = client.encode(texts("first", "b", "c", "d"), batch_size=1)
        assert (await anext(stream)).tokens == 3
        pending = asyncio.create_task(anext(stream))
        await gate.until(waiting=2)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
    assert (gate.waiting, gate.gone) == (0, 2)


async def test_failed_request_takes_the_others_back() -> None:
    gate = AsyncGate()

    async def handler(request: httpx.Request) -> httpx.Response:
        if msgspec.msgpack.decode(request.content)["items"][0]["text"] == "held":
            await gate.wait()
        await gate.until(waiting=1)
        raise EngineFailed("broken on purpose")

    async with client_of(handler) as client:
        with pytest.raises(EngineFailed):
            await client.encode(["fails", "held"], batch_size=1)
    assert (gate.waiting, gate.gone) == (0, 1)


async def test_unheard_failures_make_no_noise() -> None:
    gate = AsyncGate()
    failed = []

    async def handler(request: httpx.Request) -> httpx.Response:
        text = msgspec.msgpack.decode(request.content)["items"][0]["text"]
        if text == "first":
            await gate.wait()
        failed.append(text)
        if len(failed) == 2:
            gate.open()
        raise EngineFailed(f"{text} is broken on purpose")

    async with client_of(handler) as client:
        with pytest.raises(EngineFailed, match="first"):
            await client.encode(["first", "b", "c"], batch_size=1)
    assert sorted(failed) == ["b", "c", "first"]
