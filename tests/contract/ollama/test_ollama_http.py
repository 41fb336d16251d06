"""Ollama's paths as other programs see them: over plain HTTP, with curl's name or none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fix_hub import repo_of, running_hub
from live import Live, live
from repo import ROOT

from stelae.client import AsyncClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = ["one text", "another, which is longer", ""]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    echo = {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}
    models = {"echo": echo, "vectors": {"source": str(zoo / "bert-mean"), "dtype": "float32"}}
    with running_hub() as hub:
        hub.repos["org/known"] = hub.repos["org/other"] = repo_of(zoo / "bert-mean")
        models["known"] = {"source": "org/known"}
        models["talker"] = {"source": str(ROOT / "tests" / "data" / "chat"), "dtype": "float32"}
        reach = {"endpoint": hub.url, "cache": str(tmp_path_factory.mktemp("hub"))}
        async with live(models=models, hub=reach) as made:
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as opened:
        yield opened


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_vectors_are_those_of_encode(http: httpx.AsyncClient, server: Live) -> None:
    body = {"model": "vectors:latest", "input": TEXTS}
    told = (await http.post("/api/embed", json=body)).json()
    async with AsyncClient(server.url, model="vectors") as client:
        normal = await client.encode(TEXTS, normalize=True)
        plain = await client.encode(TEXTS[:1])
    assert np.array_equal(np.array(told["embeddings"], np.float32), normal.dense)
    assert told["prompt_eval_count"] == normal.usage.tokens
    single = (
        await http.post("/api/embeddings", json={"model": "vectors", "prompt": TEXTS[0]})
    ).json()
    assert np.array_equal(np.array(single["embedding"], np.float32), plain.dense[0])


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
async def test_more_tokens_than_the_model_reads_are_as_many_as_it_does(
    http: httpx.AsyncClient, path: str
) -> None:
    def body(text: str) -> dict[str, Any]:
        said = {"prompt": text, "messages": [{"role": "user", "content": text}]}
        options = {"num_predict": 10**6, "temperature": 0}
        return {"model": "talker", "stream": False, "options": options, **said}

    told = (await http.post(path, json=body("Hello, Claude"))).json()
    text = told["response"] if "response" in told else told["message"]["content"]
    assert (told["done"], text) == (True, "Hello! How can I help you today?")
    refused = await http.post(path, json=body("a " * 10_000))
    assert (refused.status_code, refused.json()["code"]) == (400, "input_too_long")


async def test_answers_are_lines_unless_they_are_wanted_whole(http: httpx.AsyncClient) -> None:
    body = {"model": "echo", "prompt": "one two", "options": {"num_ctx": 7}}
    told = await http.post("/api/generate", json=body)
    assert told.headers["content-type"] == "application/x-ndjson"
    assert told.headers["x-stelae-ignored"] == "'num_ctx'"
    assert [line["response"] for line in lines(told)] == ["one", " two", ""]
    assert [line["done"] for line in lines(told)] == [False, False, True]
    whole = await http.post("/api/generate", json={**body, "stream": False})
    assert whole.headers["content-type"] == "application/json"
    assert whole.json()["response"] == "one two"


async def test_errors_are_one_sentence_whoever_asks(http: httpx.AsyncClient) -> None:
    for answer, status in [
        (await http.post("/api/chat", json={"model": "none", "messages": []}), 404),
        (await http.post("/api/chat", json={"messages": []}), 400),
        (await http.get("/api/nowhere"), 404),
        (await http.get("/api/chat"), 405),
    ]:
        assert answer.status_code == status
        assert isinstance(answer.json()["error"], str)


async def test_only_known_models_are_pulled_unless_the_settings_say_so(
    http: httpx.AsyncClient,
) -> None:
    refused = await http.post("/api/pull", json={"model": "org/other"})
    assert refused.status_code == 403
    assert "hub.pull" in refused.json()["error"]
    told = lines(await http.post("/api/pull", json={"name": "known:latest"}))
    assert told[-1] == {"status": "success"}
    assert any(line.get("completed") for line in told)
    assert "org/other" not in [m["name"] for m in (await http.get("/api/tags")).json()["models"]]


async def test_folders_of_the_machine_are_not_pulled(http: httpx.AsyncClient, zoo: Path) -> None:
    for name in (str(zoo / "bert-mean"), "../zoo", f"x={zoo}"):
        assert (await http.post("/api/pull", json={"model": name})).status_code == 404


async def test_the_server_is_there_for_those_who_knock(http: httpx.AsyncClient) -> None:
    knocked = await http.head("/", follow_redirects=True)
    assert knocked.status_code == 200
    version = (await http.get("/api/version")).json()["version"]
    assert tuple(map(int, version.split("."))) >= (0, 6, 4)  # what editors ask for
