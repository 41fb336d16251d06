"""Collections over HTTP: kept, found, changed, and there again after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from live import live

TEXTS = ["The cat sat on the mat.", "Rust is a programming language.", "Bread is baked from dough."]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with live() as server, httpx.AsyncClient(base_url=f"{server.url}/stelae/v1") as asking:
        yield asking


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def call(**changes: Any) -> dict[str, Any]:
    items = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
    tags = [{"pages": number} for number in range(len(TEXTS))]
    return {"collection": "notes", "model": "fake", "items": items, "tags": tags} | changes


async def test_documents_are_kept_found_changed_and_forgotten(client: httpx.AsyncClient) -> None:
    kept = await post(client, "/index", **call())
    assert (kept["ids"], kept["size"]) == (["0", "1", "2"], 3)
    assert "vectors" not in kept
    query = {"collection": "notes", "items": [{"text": TEXTS[1]}]}
    found = await post(client, "/search", **query, limit=2)
    best = found["hits"][0][0]
    assert best["document"] == {"id": "1", "text": TEXTS[1], "tags": {"pages": 1}}
    assert best["score"] == pytest.approx(1.0, abs=1e-6)
    assert len(found["hits"][0]) == 2
    some = await post(client, "/search", **query, filter={"pages": {"$lt": 1}})
    assert [hit["document"]["id"] for hit in some["hits"][0]] == ["0"]
    place = "/collections/notes"
    changed = await post(client, f"{place}/update", ids=["2", "9"], tags=[{"pages": 9}, {}])
    assert changed == {"updated": [True, False]}
    read = await post(client, f"{place}/documents", ids=["2", "9"])
    assert [document["tags"] for document in read["documents"]] == [{"pages": 9}]
    met = await post(client, f"{place}/documents", filter={"pages": {"$lt": 9}}, limit=1, start=1)
    assert [document["id"] for document in met["documents"]] == ["1"]
    assert await post(client, f"{place}/delete", ids=["0"], filter={"pages": 9}) == {"deleted": 2}
    assert (await client.get(place)).json()["size"] == 1
    listed = (await client.get("/collections")).json()["collections"]
    assert [one["name"] for one in listed] == ["notes"]
    assert (await client.delete(place)).status_code == 200
    assert (await client.get(place)).status_code == 404


async def test_one_broken_item_leaves_its_neighbours_kept(client: httpx.AsyncClient) -> None:
    items = [{"id": "a", "text": "fine"}, {"id": "b", "text": "long " * 2000}, {"text": "too"}]
    kept = await post(client, "/index", **call(items=items, tags=None, truncate="error"))
    assert list(kept["errors"]) == ["1"]
    assert kept["size"] == 2


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/index", call(collection="../x"), 400, "cannot be called"),
        ("/index", call(tags=[{}]), 400, "1 tags for 3 items"),
        ("/index", call(items=[], tags=None), 400, "items is empty"),
        ("/index", call(model="absent"), 404, "absent"),
        ("/index", call(model=None), 404, "there is no collection"),
        ("/index", call(colection="x"), 400, "colection"),
        ("/search", {"collection": "none", "items": [{"text": "a"}]}, 404, "no collection"),
        ("/search", {"collection": "n", "items": [{"text": "a"}], "limit": 0}, 400, "limit=0"),
        ("/collections/none/update", {"ids": ["1"], "tags": [{}]}, 404, "no collection"),
    ],
)
async def test_what_cannot_be_done_is_told(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, told: str
) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == status
    assert told in answer.text


async def test_a_filter_that_cannot_be_read_is_told(client: httpx.AsyncClient) -> None:
    await post(client, "/index", **call())
    body = {"collection": "notes", "items": [{"text": "a"}], "filter": {"a": {"$like": "x"}}}
    answer = await client.post("/search", json=body)
    assert answer.status_code == 400
    assert "$like" in answer.text


async def test_a_restarted_server_has_its_collections(tmp_path: Path) -> None:
    kept = {"store": {"folder": tmp_path}}
    async with live(**kept) as server, httpx.AsyncClient(base_url=server.url) as client:
        await post(client, "/stelae/v1/index", **call())
    async with live(**kept) as server, httpx.AsyncClient(base_url=server.url) as client:
        query = {"collection": "notes", "items": [{"text": TEXTS[2]}], "limit": 1}
        found = await post(client, "/stelae/v1/search", **query)
        assert found["hits"][0][0]["document"]["id"] == "2"


async def test_vectors_of_another_model_under_the_same_name_are_not_compared(
    tmp_path: Path,
) -> None:
    kept = {"store": {"folder": tmp_path}}
    async with live(**kept) as server, httpx.AsyncClient(base_url=server.url) as client:
        await post(client, "/stelae/v1/index", **call())
    models = {"fake": {"source": "embedded"}}
    other = live(**kept, models=models)
    async with other as server, httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        query = {"collection": "notes", "items": [{"text": TEXTS[2]}]}
        answers = [
            await client.post("/stelae/v1/search", json=query),
            await client.post("/stelae/v1/index", json=call()),
        ]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert "holds vectors of fake" in answers[0].text
