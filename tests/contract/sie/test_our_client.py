"""What ``stelae.sie`` has over the examples of SIE's reference, against a server of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from fix_faults import FAULTY, install
from live import FAKE, Live, live
from msgspec.structs import replace
from PIL import Image

from stelae.catalog.abilities import Extractor, Finding
from stelae.sie import (
    Item,
    ModelLoadFailedError,
    PoolError,
    RequestError,
    ResourceExhaustedError,
    SIEAsyncClient,
    SIEClient,
    SIEConnectionError,
    SIEError,
)
from stelae.types import Timing
from stelae.wire.sie.timing import timing_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sesame"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    folder = tmp_path_factory.mktemp("none") / "absent"
    models = {
        "fake": FAKE,
        "finder": FAKE,
        "faulty": FAULTY,
        "absent": {"source": str(folder)},
        "labels": {"source": str(zoo / "cross-encoder-labels")},
    }
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        async with live(api_keys=[KEY], models=models) as made:
            for name in models.keys() - {"absent"}:
                await made.house.fleet.load(name)
            find_names(made)
            yield made


def find_names(made: Live) -> None:
    """Let one of the fake models say that it finds names."""
    (replica,) = made.house.fleet._deployments.controller.replicas("finder")
    finds = Extractor(layout="fake", finds=(Finding.ENTITIES,))
    spec = replace(replica.deployment.spec, extraction=finds)
    replica.deployment = replace(replica.deployment, spec=spec)


@pytest.mark.parametrize(
    ("mode", "key", "absent"),
    [("auto", "workers", "gpus"), ("cluster", "workers", "gpus"), ("worker", "gpus", "workers")],
)
async def test_watch_tells_again_and_again(mode: str, key: str, absent: str, server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        seen = []
        async for message in client.watch(mode=mode):  # type: ignore[arg-type]  # parametrised over plain strings
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
            await anext(client.watch(mode="all"))  # type: ignore[arg-type]  # wrong on purpose


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


async def test_every_result_tells_what_its_call_came_to(server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        one = await client.encode("fake", Item(text="a b"))
        pair = await client.encode("fake", [Item(text="a b"), Item(text="a b")])
        found = await client.extract("finder", Item(text="see Ada"), labels=["person"])
        scores = await client.score("fake", Item(text="a"), [Item(text="b"), Item(text="c")])
    alone = one["request"]["usage"]["input_tokens"]
    assert alone > 0
    assert pair[0]["request"]["usage"]["input_tokens"] == 2 * alone
    assert pair[0]["request"] == pair[1]["request"]
    assert pair[0]["request"] is not pair[1]["request"]
    assert found["request"]["usage"]["input_tokens"] > 0
    assert scores["request"]["usage"] == {**scores["usage"], "pairs": 2}


async def test_an_item_that_fails_to_be_looked_into_keeps_its_place(server: Live) -> None:
    items = [Item(text="see Ada"), Item(id="b", text="!bad")]
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        good, bad = await client.extract("finder", items, labels=["person"])
    assert good["entities"][0]["text"] == "Ada"
    assert "error" not in good
    assert (bad["id"], bad["entities"]) == ("b", [])
    assert bad["error"]["code"] == "INVALID_INPUT"


async def test_a_ranking_by_a_model_of_several_labels_is_refused(server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        with pytest.raises(RequestError, match="there is no best") as caught:
            await client.score("labels", Item(text="a"), [Item(text="b")])
    assert caught.value.code == "INVALID_INPUT"


async def test_a_model_without_files_says_so(server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        with pytest.raises(ModelLoadFailedError, match="no folder") as caught:
            await client.encode("absent", Item(text="a"))
    error = caught.value
    assert (error.error_class, error.permanent, error.model) == ("NOT_FOUND", True, "absent")
    assert (error.code, error.status_code) == ("MODEL_LOAD_FAILED", 502)


@pytest.mark.parametrize("wait", [False, True])
async def test_where_memory_runs_out_is_asked_again_as_often_as_is_said(
    wait: bool, server: Live
) -> None:
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        with pytest.raises(ResourceExhaustedError):
            await client.encode(
                "faulty",
                Item(text=f"!raise out_of_memory 0.01 1 none-{wait}"),
                max_oom_retries=0,
                wait_for_capacity=wait,
            )
        again = Item(text=f"!raise out_of_memory 0.01 1 one-{wait}")
        result = await client.encode("faulty", again, max_oom_retries=1, wait_for_capacity=wait)
        with pytest.raises(RequestError, match="max_oom_retries=-1"):
            await client.encode("faulty", again, max_oom_retries=-1)
    assert "dense" in result


async def test_the_text_counts_where_a_model_reads_no_pictures(server: Live) -> None:
    both = Item(text="a b", images=[Image.new("RGB", (4, 4))])
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        given = await client.extract("finder", both, labels=["person"])
        beside = Item(text="a", multivector=np.zeros((1, 4), np.float32))
        assert "dense" in await client.encode("fake", beside)
        with pytest.raises(RequestError, match=r"items\[0\] has audio, which no model here reads"):
            await client.encode("fake", Item(audio=b"x"))
    assert "error" not in given


async def test_no_call_leaves_the_pool_of_its_client_because_that_could_not_be_made(
    server: Live,
) -> None:
    async with SIEAsyncClient(
        server.url, api_key=KEY, pool={"name": "own", "gpus": {"cpu": -1}}
    ) as client:
        for _ in range(2):
            with pytest.raises(PoolError, match="'cpu' must be 0 or more"):
                await client.encode("fake", Item(text="a"))
