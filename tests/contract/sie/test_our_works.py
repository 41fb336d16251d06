"""Jobs, files and batches of ``stelae.sie`` against a server of ours."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, Live, live

from stelae.sie import Batch, Item, JobFailedError, RequestError, SIEAsyncClient, SIEClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sesame"
ROW = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings"}
LINE = json.dumps({**ROW, "body": {"model": "fake", "input": "hello"}}).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live(api_keys=[KEY], models={"fake": FAKE}) as made:
        await made.house.fleet.load("fake")
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Live) -> AsyncIterator[SIEAsyncClient]:
    async with SIEAsyncClient(server.url, api_key=KEY) as made:
        yield made


async def over(client: SIEAsyncClient, batch: Batch) -> Batch:
    """The batch once it is over."""
    async with asyncio.timeout(20):
        while batch["status"] not in ("completed", "failed", "cancelled"):
            await asyncio.sleep(0.01)  # between two looks: the API tells no end of a batch
            batch = await client.batches.retrieve(batch["id"])
    return batch


async def test_results_of_a_job_are_those_of_encode_in_order(client: SIEAsyncClient) -> None:
    items: list[Any] = [{"id": str(n), "text": f"text {n}"} for n in range(300)]
    items[5] = {"id": "5", "text": "!bad"}
    made = await client.jobs.submit(
        source=items, model="fake", output_types=["dense", "sparse", "multivector"]
    )
    assert made["total_items"] == 300
    job = await client.jobs.wait(made["id"], poll_s=0.01, raise_on_failure=True)
    assert (job["state"], job["outcome"]) == ("succeeded", "partial")
    results = await client.jobs.results(made["id"])
    expected = await client.encode(
        "fake", Item(text="text 7"), output_types=["dense", "sparse", "multivector"]
    )
    seen = results["items"][7]
    assert [item["id"] for item in results["items"]] == [str(n) for n in range(300)]
    assert seen["dense"] is not None
    np.testing.assert_array_equal(seen["dense"], expected["dense"])
    np.testing.assert_array_equal(seen["multivector"], expected["multivector"])
    for part in ("indices", "values"):
        np.testing.assert_array_equal(seen["sparse"][part], expected["sparse"][part])
    assert (results["retrieved"], results["dims"]) == (300, expected["dense"].size)
    assert results["items"][5]["success"] is False
    assert results["items"][5]["error"]["code"] == "INVALID_INPUT"
    assert made["id"] in [job["id"] for job in await client.jobs.list()]


async def test_a_job_of_which_all_failed_is_an_error_if_that_is_asked_for(
    client: SIEAsyncClient,
) -> None:
    made = await client.jobs.submit(source=["!bad", "!bad"], model="fake")
    assert (await client.jobs.wait(made["id"], poll_s=0.01))["state"] == "failed"
    with pytest.raises(JobFailedError) as caught:
        await client.jobs.wait(made["id"], poll_s=0.01, raise_on_failure=True)
    assert caught.value.job_id == made["id"]
    assert (caught.value.state, caught.value.error_code) == ("failed", "INVALID_INPUT")


async def test_a_job_under_way_has_no_results_and_can_be_stopped(client: SIEAsyncClient) -> None:
    slow = ["!sleep 1" if n % 128 == 0 else "a" for n in range(400)]  # one in each chunk
    made = await client.jobs.submit(source=slow, model="fake")
    with pytest.raises(RequestError) as caught:
        await client.jobs.results(made["id"])
    assert (caught.value.code, caught.value.status_code) == ("job_not_terminal", 409)
    with pytest.raises(RequestError) as caught:
        await client.jobs.wait(made["id"], timeout_s=0, poll_s=0.01)
    assert (caught.value.code, caught.value.status_code) == ("job_wait_timeout", 504)
    await client.jobs.cancel(made["id"])
    assert (await client.jobs.wait(made["id"], poll_s=0.01))["state"] == "cancelled"
    with pytest.warns(UserWarning, match="of the 400 results"):
        results = await client.jobs.results(made["id"])
    assert results["retrieved"] < 400


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"source": "s3://bucket/rows"}, "takes its items along"),
        ({"source": ["a"], "execution": "run"}, "execution: a job here"),
        ({"source": ["a"], "when": "daily"}, "when: a job here"),
        ({"source": ["a"], "idempotency_key": "k"}, "idempotency_key: a job here"),
        ({"source": []}, "nothing in it"),
        ({"source": 3}, "a text, or a list"),
        ({"source": ["a"], "operation": "score"}, "operation='score'"),
        ({"source": ["a"], "options": {"x": object()}}, "cannot be sent as JSON"),
    ],
)
async def test_what_jobs_do_not_do_is_refused(
    more: dict[str, Any], said: str, client: SIEAsyncClient
) -> None:
    with pytest.raises(RequestError, match=said):
        await client.jobs.submit(model="fake", **more)


async def test_files_are_kept_as_they_were_given(client: SIEAsyncClient, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE)
    for given, name in (
        (LINE, "upload.jsonl"),
        (bytearray(LINE), "upload.jsonl"),
        (path, "rows.jsonl"),
        (str(path), "rows.jsonl"),
        (io.BytesIO(LINE), "upload.jsonl"),
    ):
        file = await client.files.create(file=given)
        assert (file["filename"], file["bytes"], file["purpose"]) == (name, len(LINE), "batch")
        assert await client.files.content(file["id"]) == LINE
        assert await client.files.retrieve(file["id"]) == file
        assert (await client.files.delete(file["id"]))["deleted"] is True
        with pytest.raises(RequestError) as caught:
            await client.files.retrieve(file["id"])
        assert caught.value.status_code == 404


async def test_files_are_listed_in_pages(client: SIEAsyncClient) -> None:
    made = [await client.files.upload(LINE, filename=f"{n}.jsonl", purpose="p") for n in range(3)]
    page = await client.files.list_page(limit=2, purpose="p")
    rest = await client.files.list(after=page["data"][-1]["id"], purpose="p")
    assert page["has_more"] is True
    assert [f["filename"] for f in [*page["data"], *rest]] == ["2.jsonl", "1.jsonl", "0.jsonl"]
    assert {f["id"] for f in made} == {f["id"] for f in [*page["data"], *rest]}


@pytest.mark.parametrize("file", [3, io.StringIO("a"), "no/such/file", b""])
async def test_what_is_no_file_is_refused(file: Any, client: SIEAsyncClient) -> None:
    with pytest.raises(RequestError, match=r"file|empty"):
        await client.files.upload(file)


async def test_a_batch_is_answered_into_a_file(client: SIEAsyncClient) -> None:
    file = await client.files.upload(LINE, filename="f.jsonl")
    made = await client.batches.create(input_file_id=file["id"], metadata={"for": "test"})
    batch = await over(client, made)
    assert batch["request_counts"] == {"total": 1, "completed": 1, "failed": 0}
    assert batch["metadata"] == {"for": "test"}
    assert batch["output_file_id"] is not None
    answer = json.loads(await client.files.content(batch["output_file_id"]))
    vector = answer["response"]["body"]["data"][0]["embedding"]
    expected = (await client.encode("fake", Item(text="hello")))["dense"]
    np.testing.assert_array_equal(np.asarray(vector, np.float32), expected)
    assert batch["id"] in [each["id"] for each in await client.batches.list()]
    assert (await client.batches.list_page(limit=1))["data"]


async def test_what_is_not_there_is_refused(client: SIEAsyncClient) -> None:
    for call in (
        client.jobs.get("none"),
        client.jobs.cancel("none"),
        client.files.content("a/b"),
        client.batches.retrieve("none"),
        client.batches.cancel("none"),
        client.batches.create(input_file_id="none"),
    ):
        with pytest.raises(RequestError, match=r"none|a/b") as caught:
            await call
        assert caught.value.status_code == 404
    with pytest.raises(RequestError, match="give the id of one of the jobs"):
        await client.jobs.get("")


async def test_a_wrong_key_is_refused(server: Live) -> None:
    async with SIEAsyncClient(server.url, api_key="wrong") as other:
        for call in (other.jobs.list(), other.files.list(), other.batches.list()):
            with pytest.raises(RequestError, match="key") as caught:
                await call
            assert (caught.value.code, caught.value.status_code) == ("UNAUTHORIZED", 401)


async def test_the_blocking_client_does_the_same(server: Live) -> None:
    def done() -> tuple[Any, bytes]:
        with SIEClient(server.url, api_key=KEY) as client:
            made = client.jobs.submit(source="hello", model="fake")
            client.jobs.wait(made["id"], poll_s=0.01, raise_on_failure=True)
            file = client.files.upload(LINE)
            assert client.batches.create(input_file_id=file["id"])["input_file_id"] == file["id"]
            (item,) = client.jobs.results(made["id"])["items"]
            return item["dense"], client.files.content(file["id"])

    dense, content = await asyncio.to_thread(done)
    async with SIEAsyncClient(server.url, api_key=KEY) as client:
        expected = (await client.encode("fake", Item(text="hello")))["dense"]
    np.testing.assert_array_equal(dense, expected)
    assert content == LINE
