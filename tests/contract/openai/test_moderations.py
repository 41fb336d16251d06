"""Moderations with the real ``openai`` client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from live import FAKE, Live, live
from openai import AsyncOpenAI

from stelae import AsyncClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = ["I will find you", "what a lovely day"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    judge = {"source": str(zoo / "cross-encoder-labels"), "dtype": "float32"}
    writer = {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}
    async with live(models={"fake": FAKE, "judge": judge, "writer": writer}) as made:
        await made.house.fleet.load("judge")
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


async def test_scores_are_those_of_the_classifier(client: AsyncOpenAI, server: Live) -> None:
    made = await client.moderations.create(input=TEXTS, model="judge")
    async with AsyncClient(server.url, model="judge") as ours:
        found = await ours.extract(
            TEXTS, labels=["violence", "self-harm"], threshold=0.0, multi_label=True
        )
    assert made.model == "judge"
    assert len(made.results) == 2
    for result, item in zip(made.results, found, strict=True):
        scores = {kind.label: kind.score for kind in item.classifications}
        assert result.category_scores.violence == pytest.approx(scores["violence"], abs=1e-5)
        assert result.category_scores.self_harm == pytest.approx(scores["self-harm"], abs=1e-5)
        assert result.categories.violence == (result.category_scores.violence >= 0.5)
        assert result.flagged == any(result.categories.model_dump().values())


async def test_lines_of_a_batch_are_judged(client: AsyncOpenAI) -> None:
    bodies = [{"model": "judge", "input": TEXTS}, {"input": "x"}]
    rows = [
        {"custom_id": str(i), "method": "POST", "url": "/v1/moderations", "body": body}
        for i, body in enumerate(bodies)
    ]
    data = "\n".join(map(json.dumps, rows)).encode()
    file = await client.files.create(file=("f.jsonl", data), purpose="batch")
    batch = await client.batches.create(
        input_file_id=file.id, endpoint="/v1/moderations", completion_window="24h"
    )
    async with asyncio.timeout(60):
        while batch.status != "completed":
            await asyncio.sleep(0.02)
            batch = await client.batches.retrieve(batch.id)
    assert batch.output_file_id is not None
    assert batch.error_file_id is not None
    good = json.loads((await client.files.content(batch.output_file_id)).content)
    bad = json.loads((await client.files.content(batch.error_file_id)).content)
    assert len(good["response"]["body"]["results"]) == 2
    assert bad["response"]["body"]["error"]["param"] == "model"


@pytest.mark.parametrize("name", [None, "omni-moderation-latest", "text-moderation-stable"])
async def test_model_that_tells_classes_is_found(client: AsyncOpenAI, name: str | None) -> None:
    asked: dict[str, Any] = {} if name is None else {"model": name}
    made = await client.moderations.create(input="hello", **asked)
    assert made.model == "judge"
    assert len(made.results) == 1


async def test_parts_are_one_text(client: AsyncOpenAI) -> None:
    parts: Any = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert len((await client.moderations.create(input=parts)).results) == 1


@pytest.mark.parametrize(
    ("given", "param"),
    [([], "input"), ([{"type": "image_url", "image_url": {"url": "data:,x"}}], "input[0]")],
)
async def test_what_is_no_text_is_refused(client: AsyncOpenAI, given: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.moderations.create(input=given)
    assert caught.value.param == param


async def test_model_that_writes_tells_no_classes(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not tell classes") as caught:
        await client.moderations.create(input="x", model="writer")
    assert (caught.value.param, caught.value.code) == ("model", "unsupported_task")


async def test_model_that_tells_no_classes_says_so(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        await client.moderations.create(input="x", model="fake")
    async with (
        live() as bare,
        AsyncOpenAI(base_url=f"{bare.url}/v1", api_key="any", max_retries=0) as there,
    ):
        with pytest.raises(openai.NotFoundError, match="GLiClass"):
            await there.moderations.create(input="x")
