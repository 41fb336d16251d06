"""Files and batches through the real ``openai`` client, and over restarts of the server."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from fix_faults import FAULTY, install
from live import FAKE, Live, live
from openai import AsyncOpenAI

from stelae.engines.fake.engine import vector
from stelae.service import works


def lines(*bodies: dict[str, Any]) -> bytes:
    rows = [
        {"custom_id": f"r{i}", "method": "POST", "url": "/v1/embeddings", "body": body}
        for i, body in enumerate(bodies)
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


@pytest_asyncio.fixture
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    base = f"{server.url}/v1"
    async with AsyncOpenAI(base_url=base, api_key="any", max_retries=0) as opened:
        yield opened


async def over(client: AsyncOpenAI, name: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            batch = await client.batches.retrieve(name)
            if batch.status not in ("validating", "in_progress", "cancelling"):
                return batch
            await asyncio.sleep(0.02)


async def test_what_was_answered_of_a_batch_that_fails_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(works, "PATIENCE", 0)
    monkeypatch.setattr(works, "AT_ONCE", 1)
    install(monkeypatch)
    texts = ("a", "b", "!raise queue_full", "d", "e")
    given = lines(*({"model": "faulty", "input": text} for text in texts))
    async with (
        live(models={"faulty": FAULTY}) as server,
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as client,
    ):
        file = await client.files.create(file=("f.jsonl", given), purpose="batch")
        made = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
        )
        batch = await over(client, made.id)
        rows = (await client.files.content(batch.output_file_id)).content.splitlines()
    assert batch.status == "failed"
    assert "queue_full" in batch.errors.data[0].message
    assert (batch.request_counts.total, batch.request_counts.completed) == (5, 2)
    assert [json.loads(row)["custom_id"] for row in rows] == ["r0", "r1"]


async def test_file_is_kept_listed_read_and_forgotten(client: AsyncOpenAI) -> None:
    data = bytes(range(256)) * 100
    file = await client.files.create(file=("../a b.jsonl", data), purpose="batch")
    assert (file.filename, file.bytes, file.purpose) == ("a b.jsonl", len(data), "batch")
    assert [f.id async for f in client.files.list()] == [file.id]
    assert (await client.files.retrieve(file.id)).bytes == len(data)
    assert (await client.files.content(file.id)).content == data
    assert (await client.files.delete(file.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.files.retrieve(file.id)


async def test_file_may_come_as_it_is(server: Live) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.post("/v1/files?purpose=batch&filename=f.jsonl", content=b"abc")
        assert answer.json()["filename"] == "f.jsonl"
        content = await http.get(f"/v1/files/{answer.json()['id']}/content")
        assert content.content == b"abc"
        assert (await http.post("/v1/files")).status_code == 400
        broken = {"content-type": "multipart/form-data; boundary=x"}
        answer = await http.post("/v1/files", content=b"--y", headers=broken)
        assert answer.status_code == 400
        answer = await http.post("/v1/files", data={"purpose": "batch"}, files={"other": b"x"})
        assert answer.status_code == 400


async def test_every_line_of_a_batch_is_answered(client: AsyncOpenAI) -> None:
    bodies: list[dict[str, Any]] = [{"model": "fake", "input": f"text {i}"} for i in range(20)]
    bodies[3] = {"model": "none", "input": "a"}
    bodies[7] = {"model": "fake", "input": []}
    bodies[9] = {"model": "fake", "input": ["a", "b"], "encoding_format": "float"}
    file = await client.files.create(file=io.BytesIO(lines(*bodies)), purpose="batch")
    batch = await client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/embeddings",
        completion_window="24h",
        metadata={"a": "b"},
    )
    batch = await over(client, batch.id)
    assert batch.status == "completed"
    assert batch.metadata == {"a": "b"}
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (20, 18, 2)
    output = await client.files.content(batch.output_file_id)
    rows = [json.loads(line) for line in output.text.splitlines()]
    assert [row["custom_id"] for row in rows] == [f"r{i}" for i in range(20) if i not in (3, 7)]
    first = rows[0]["response"]["body"]["data"][0]["embedding"]
    assert first == pytest.approx(vector("text 0", 384).tolist())
    assert len(rows[7]["response"]["body"]["data"]) == 2
    failed = await client.files.content(batch.error_file_id)
    codes = {
        row["custom_id"]: row["response"]["status_code"]
        for row in map(json.loads, failed.text.splitlines())
    }
    assert codes == {"r3": 404, "r7": 400}
    assert [b.id async for b in client.batches.list()] == [batch.id]


@pytest.mark.parametrize(
    ("content", "endpoint", "message"),
    [
        (b"\n\n", "/v1/embeddings", "the file has 0 lines"),
        (b"{}", "/v1/embeddings", "line 1"),
        (lines({"model": "fake"}) * 2, "/v1/embeddings", "line 2: custom_id 'r0' stands there"),
        (lines({"model": "fake"}), "/v1/chat", "batches ask for /v1/embeddings"),
        (lines({"m": 1}).replace(b"/v1/embeddings", b"/v1/x"), "/v1/embeddings", "line 1: asks"),
        (b"\xff\xfe", "/v1/embeddings", "line 1"),
    ],
)
async def test_batch_that_cannot_be_done_is_refused_at_once(
    client: AsyncOpenAI, content: bytes, endpoint: str, message: str
) -> None:
    file = await client.files.create(file=content, purpose="batch")
    with pytest.raises(openai.BadRequestError, match=message):
        await client.batches.create(
            input_file_id=file.id,
            # One of the rows asks for an endpoint that the client does not know.
            endpoint=endpoint,  # type: ignore[arg-type]
            completion_window="24h",
        )


async def test_batch_of_a_file_that_is_not_there_is_refused(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.batches.create(
            input_file_id="file-none", endpoint="/v1/embeddings", completion_window="24h"
        )
    with pytest.raises(openai.NotFoundError):
        await client.batches.retrieve("batch_none")


async def test_cancelled_batch_keeps_what_is_done(client: AsyncOpenAI) -> None:
    bodies = [{"model": "fake", "input": "a"}] + [{"model": "fake", "input": "!sleep 0.2"}] * 40
    file = await client.files.create(file=lines(*bodies), purpose="batch")
    batch = await client.batches.create(
        input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
    )
    async with asyncio.timeout(20):
        while not (await client.batches.retrieve(batch.id)).request_counts.completed:  # noqa: ASYNC110  # the API has no event
            await asyncio.sleep(0.02)
    await client.batches.cancel(batch.id)
    batch = await over(client, batch.id)
    assert batch.status == "cancelled"
    assert 0 < batch.request_counts.completed < 41
    output = await client.files.content(batch.output_file_id)
    assert len(output.text.splitlines()) == batch.request_counts.completed
    assert (await client.batches.cancel(batch.id)).status == "cancelled"


async def test_batch_goes_on_after_the_server_was_stopped(tmp_path: Path) -> None:
    store = {"folder": str(tmp_path)}
    bodies = [{"model": "fake", "input": f"!sleep 0.05 {i}"} for i in range(30)]
    async with (
        live(store=store) as server,
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as client,
    ):
        file = await client.files.create(file=lines(*bodies), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
        )
        async with asyncio.timeout(20):
            while not (await client.batches.retrieve(batch.id)).request_counts.completed:  # noqa: ASYNC110  # the API has no event
                await asyncio.sleep(0.01)
    async with (
        live(store=store) as server,
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as client,
    ):
        batch = await over(client, batch.id)
        assert batch.status == "completed"
        assert batch.request_counts.completed == 30
        output = await client.files.content(batch.output_file_id)
        names = [json.loads(line)["custom_id"] for line in output.text.splitlines()]
        assert names == [f"r{i}" for i in range(30)]


async def test_two_servers_do_not_share_a_store(tmp_path: Path) -> None:
    store = {"folder": str(tmp_path)}
    async with (
        live(store=store) as one,
        live(store=store, models={"fake": FAKE}) as two,
        httpx.AsyncClient() as http,
    ):
        assert (await http.get(f"{one.url}/v1/files")).status_code == 200
        answer = await http.get(f"{two.url}/v1/files")
        assert answer.status_code == 409
        assert "another server uses the store" in answer.text


async def test_files_and_batches_of_others_are_not_found() -> None:
    async with (
        live(api_keys=["ann", "bob"]) as server,
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="ann", max_retries=0) as ann,
    ):
        bob = ann.with_options(api_key="bob")
        given = lines({"model": "fake", "input": "mine"})
        file = await ann.files.create(file=("f.jsonl", given), purpose="batch")
        made = await begin(ann, file.id)
        batch = await over(ann, made.id)
        for ask in (
            lambda: bob.files.retrieve(file.id),
            lambda: bob.files.content(batch.output_file_id),
            lambda: bob.files.delete(file.id),
            lambda: bob.batches.retrieve(batch.id),
            lambda: bob.batches.cancel(batch.id),
            lambda: begin(bob, file.id),
        ):
            with pytest.raises(openai.NotFoundError):
                await ask()
        assert [found async for found in bob.files.list()] == []
        assert [found async for found in bob.batches.list()] == []
        assert batch in [found async for found in ann.batches.list()]
        assert {found.id async for found in ann.files.list()} >= {file.id, batch.output_file_id}


async def begin(client: AsyncOpenAI, file: str) -> Any:
    return await client.batches.create(
        input_file_id=file, endpoint="/v1/embeddings", completion_window="24h"
    )
