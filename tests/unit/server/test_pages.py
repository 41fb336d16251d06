from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from live import Live, live, until
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def test_alive(http: httpx.AsyncClient) -> None:
    answer = await http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_head_is_answered_like_get_without_a_body(http: httpx.AsyncClient) -> None:
    answer = await http.head("/healthz")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_ready_tells_of_each_loaded_model(server: Live, http: httpx.AsyncClient) -> None:
    await http.post("/v1/embeddings", json={"model": "fake", "input": "a"})
    answer = await http.get("/readyz")
    assert answer.status_code == 200
    (model,) = answer.json()["models"]
    assert (model["name"], model["state"], model["ok"]) == ("fake", "ready", True)


async def test_ready_names_models_to_those_who_show_a_key_alone() -> None:
    async with (
        live(api_keys=["right-key"]) as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        await server.house.fleet.load("fake")
        for headers in ({}, {"X-API-Key": "wrong-key"}):
            answer = await http.get("/readyz", headers=headers)
            assert (answer.status_code, answer.json()["ready"]) == (200, True)
            assert "fake" not in answer.text
        told = (await http.get("/readyz", headers={"X-API-Key": "right-key"})).json()
        assert [model["name"] for model in told["models"]] == ["fake"]


async def test_not_ready_is_503_and_says_why() -> None:
    async with live() as server, httpx.AsyncClient(base_url=server.url) as http:
        await server.house.stop(0.0)
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reason"] == "the server is shutting down"
        refused = await http.post("/v1/embeddings", json={"model": "fake", "input": "a"})
        assert (refused.status_code, refused.headers["x-should-retry"]) == (503, "true")
        assert int(refused.headers["retry-after"]) >= 1


async def test_metrics_are_prometheus_text(http: httpx.AsyncClient) -> None:
    await http.post("/v1/embeddings", json={"model": "fake", "input": ["one two", "three"]})
    answer = await http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    tokens = {s.labels["model"]: s.value for s in families["stelae_tokens"].samples}
    assert tokens["fake"] >= 3
    states = {
        (s.labels["model"], s.labels["state"]): s.value
        for s in families["stelae_model_state"].samples
    }
    assert states["fake", "ready"] == 1


async def test_names_of_unknown_models_do_not_become_labels(http: httpx.AsyncClient) -> None:
    await http.post("/v1/embeddings", json={"model": "planted-canary", "input": "a"})
    await http.get("/v1/models/planted-canary")
    assert "planted-canary" not in (await http.get("/metrics")).text


async def test_failed_requests_are_counted_under_their_model(http: httpx.AsyncClient) -> None:
    await http.post("/v1/embeddings", json={"model": "fake", "input": "!fail"})
    metrics = (await http.get("/metrics")).text
    labels = 'code="500",dialect="openai",model="fake",route="/v1/embeddings"'
    assert f"stelae_requests_total{{{labels}}}" in metrics
    assert 'stelae_errors_total{code="engine_failed"}' in metrics


async def test_description_is_json_and_the_page_that_shows_it_html(http: httpx.AsyncClient) -> None:
    described = await http.get("/openapi.json")
    assert described.json()["openapi"] == "3.1.0"
    page = await http.get("/", follow_redirects=True)
    assert page.url.path == "/docs"
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_model_is_loaded_and_unloaded_on_request(http: httpx.AsyncClient) -> None:
    loaded = await http.post("/stelae/v1/models/fake/load")
    assert loaded.json()["state"] == "ready"
    unloaded = await http.post("/stelae/v1/models/fake/unload")
    assert unloaded.json()["state"] == "available"
    again = await http.post("/v1/embeddings", json={"model": "fake", "input": "a"})
    assert again.status_code == 200


async def test_connection_that_sends_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stelae.server.protocol.HEAD_SECONDS", 0.05)
    async with live() as server:
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_idle_connection_after_an_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stelae.server.protocol.HEAD_SECONDS", 0.05)
    async with live() as server, httpx.AsyncClient(base_url=server.url) as http:
        await http.get("/healthz")
        connections = server.gateway.server_state.connections
        (connection,) = connections
        with pytest.raises(TimeoutError):
            await until(lambda: connection not in connections, 0.2)
