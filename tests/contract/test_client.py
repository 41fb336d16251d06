"""Stelae's own clients against a live port: what unit tests cannot see of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, live

from stelae import AsyncClient, Client, Encodings
from stelae.client import RetryPolicy
from stelae.engines.fake.engine import vector
from stelae.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    EngineFailed,
    InputTooLong,
    InvalidInput,
    ModelNotFound,
    ServerUnreachable,
    Unauthorized,
)
from stelae.types import ModelState

pytestmark = pytest.mark.asyncio(loop_scope="module")

Encode = Callable[..., Coroutine[Any, Any, Any]]
WIDTH = 384


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(zoo: Path) -> AsyncIterator[str]:
    models = {
        "fake": {**FAKE, "aliases": ["org/fake"]},
        "tiny": {"source": str(zoo / "bert-mean"), "dtype": "float32"},
    }
    async with live(models=models) as server:
        yield server.url


@pytest_asyncio.fixture(params=["async", "sync"], loop_scope="module")
async def encode(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Encode]:
    """``encode`` of either client, awaitable."""
    if request.param == "async":
        async with AsyncClient(url, model="fake") as client:
            yield client.encode
    else:
        with Client(url, model="fake") as blocking:
            yield lambda *given, **options: asyncio.to_thread(blocking.encode, *given, **options)


async def test_vectors_arrive_unchanged_and_in_order(encode: Encode) -> None:
    texts = [f"text number {n}" for n in range(700)]
    encodings: Encodings = await encode(texts)
    np.testing.assert_array_equal(encodings.dense, [vector(text, WIDTH) for text in texts])
    assert encodings.tokens.tolist() == [3] * 700
    assert (encodings.model, encodings.fingerprint) == ("fake", "fake")


async def test_half_precision_arrives_as_such(encode: Encode) -> None:
    half = await encode("a text", model="tiny", dtype="float16")
    full = await encode("a text", model="tiny")
    assert (half.dense.dtype, full.dense.dtype) == (np.float16, np.float32)
    np.testing.assert_array_equal(half.dense, full.dense.astype(np.float16))


@pytest.mark.parametrize(
    "text",
    ["", " \t\n", "nul\0byte", "\x1b[31m", "😀 \u202e", "x" * 10_000_000],
    ids=["empty", "white", "nul", "escape", "unicode", "10 MB"],
)
async def test_odd_text_arrives_whole(encode: Encode, text: str) -> None:
    words = " ".join(text.split()) or ""
    np.testing.assert_array_equal((await encode(text)).dense, vector(words, WIDTH))


@pytest.mark.slow
async def test_hundred_thousand_items_come_back_whole(encode: Encode) -> None:
    encodings = await encode(["a", "b c"] * 50_000)
    assert encodings.dense.shape == (100_000, WIDTH)
    assert encodings.usage.tokens == 150_000


async def test_failed_items_are_marked_and_spare_their_neighbours(encode: Encode) -> None:
    encodings = await encode(["a", "!bad", "b"] * 100, errors="return")
    assert sorted(encodings.errors) == list(range(1, 300, 3))
    np.testing.assert_array_equal(encodings.dense[299], vector("b", WIDTH))
    with pytest.raises(InvalidInput) as caught:
        await encode(["a"] * 200 + ["!bad"])
    assert caught.value.details["index"] == 200


async def test_failures_are_typed_and_name_the_request(encode: Encode) -> None:
    long = " ".join(["word"] * 300)
    for given, options, kind in (
        ("a", {"model": "fak"}, ModelNotFound),
        ("a", {"model": "tiny", "dimensions": 10_000}, InvalidInput),
        ("a", {"model": "tiny", "prompt_name": "none"}, InvalidInput),
        ("!fail", {}, EngineFailed),
        (long, {"truncate": "error"}, InputTooLong),
    ):
        with pytest.raises(kind):
            await encode(given, **options)
    with pytest.raises(ModelNotFound, match="fake") as caught:
        await encode("a", model="fak")
    assert caught.value.details["request_id"]
    assert (await encode(long)).truncated


async def test_time_limit_is_kept_by_the_server_too(encode: Encode) -> None:
    with pytest.raises(DeadlineExceeded):
        await encode("!sleep 0.4", timeout=0.1)
    assert (await encode("afterwards")).tokens == 1


async def test_streams_work_in_both_kinds_of_client(url: str) -> None:
    texts = [f"text {n}" for n in range(500)]

    def blocking() -> list[float]:
        with Client(url, model="fake") as client:
            return [e.dense[0] for e in client.encode(iter(texts), batch_size=50)]

    async with AsyncClient(url, model="fake") as client:
        awaited = [e.dense[0] async for e in client.encode(iter(texts), batch_size=50)]
    wanted = [vector(text, WIDTH)[0] for text in texts]
    assert awaited == wanted
    assert await asyncio.to_thread(blocking) == wanted


async def test_models_are_loaded_and_unloaded_by_any_name(url: str) -> None:
    async with AsyncClient(url) as client:
        assert "fake" in [model.name for model in await client.models()]
        loaded = await client.load("org/fake", dtype="auto")
        assert (loaded.name, loaded.state, loaded.engine) == ("fake", ModelState.READY, "fake")
        assert (await client.unload("org/fake")).state is ModelState.AVAILABLE
        assert (await client.model("org/fake")).name == "fake"
        info = await client.server()
    assert url in info.listen
    assert info.limits


async def test_key_is_asked_for_and_taken() -> None:
    async with live(api_keys=["s3cret"]) as server:
        async with AsyncClient(server.url, model="fake") as stranger:
            with pytest.raises(Unauthorized):
                await stranger.encode("a")
        async with AsyncClient(server.url, model="fake", api_key="s3cret") as friend:
            assert (await friend.encode("a")).tokens == 1


async def test_body_over_the_limit_is_a_typed_refusal() -> None:
    limits = {"body_bytes": 100_000, "in_flight_bytes": 1_000_000}
    async with (
        live(limits=limits) as server,
        AsyncClient(server.url, model="fake") as client,
    ):
        with pytest.raises(BodyTooLarge):
            await client.encode("x" * 5_000_000)
        assert len(await client.encode(["x" * 1000] * 300, batch_size=50)) == 300


async def test_full_queue_slows_a_long_list_down_and_loses_nothing() -> None:
    quick = RetryPolicy(base=0.01, patience=0.02, reserve=1e6)
    texts = [f"text {n}" for n in range(400)]
    async with (
        live(limits={"queue_tokens": 20}) as server,
        AsyncClient(server.url, model="fake", max_in_flight=8, retries=quick) as client,
    ):
        encodings = await client.encode(texts, batch_size=5)
    np.testing.assert_array_equal(encodings.dense, [vector(text, WIDTH) for text in texts])


async def test_server_that_has_gone_is_named() -> None:
    async with live() as server:
        client = AsyncClient(server.url, model="fake", retries=RetryPolicy(base=0.0))
        await client.encode("a")
    async with client:
        with pytest.raises(ServerUnreachable, match=server.url):
            await client.encode("a")
