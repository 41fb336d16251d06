"""Bad calls to models that find things: a typed error that says what to do, and life goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXTRACT = "/stelae/v1/extract"
TEXT = "Anna was in Berlin and London."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(zoo: Path) -> AsyncIterator[httpx.AsyncClient]:
    names = {"names": {"source": str(zoo / "gliner-span"), "dtype": "float32"}}
    async with (
        live(models=names) as server,
        # Without verify=False each client reads all certificates of the machine, for 40 ms.
        httpx.AsyncClient(base_url=server.url, timeout=30, verify=False) as client,  # noqa: S501
    ):
        yield client


async def ask(http: httpx.AsyncClient, *items: Any, **options: Any) -> httpx.Response:
    given = [{"text": item} if isinstance(item, str) else item for item in items or [TEXT]]
    body = {"model": "names", "items": given, **options}
    return await http.post(EXTRACT, json=body)


async def test_names_are_found(http: httpx.AsyncClient) -> None:
    answer = await ask(http, labels=["person", "good thing"], threshold=0.5)
    assert answer.status_code == 200, answer.text
    found = answer.json()["items"][0]["entities"]
    assert found
    assert all(TEXT[e["start"] : e["end"]] == e["text"] for e in found)


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b"])
async def test_blank_text_holds_nothing(http: httpx.AsyncClient, text: str) -> None:
    answer = await ask(http, text, TEXT, labels=["person"], threshold=0.0)
    assert answer.status_code == 200, answer.text
    blank, plain = answer.json()["items"]
    assert blank.get("entities", []) == []
    assert plain["entities"]


@pytest.mark.parametrize(
    ("options", "param", "said"),
    [
        ({}, "labels", "what to look for"),
        ({"labels": [f"kind {i}" for i in range(10_000)]}, "labels", "fewer"),
        ({"labels": ["a <<ENT>> b"]}, "labels", "<<ENT>>"),
        ({"labels": ["person"], "hypothesis": "This is {}."}, "hypothesis", "leave it out"),
        ({"labels": ["person"], "relations": ["knows"]}, "relations", "no relations"),
        ({"labels": ["person"], "output_schema": {"type": "object"}}, "output_schema", "generate"),
        ({"labels": ["person"], "threshold": 2}, "threshold", "0 to 1"),
        ({"labels": ["person", "person"]}, "labels", "twice"),
        ({"labels": ["person", " "]}, "labels", "letters"),
        ({"labels": ["person", "x" * 1_000_000]}, "labels", "at most 4,000"),
        ({"labels": ["x " * 1_000 + str(i) for i in range(101)]}, "labels", "at most 200,000"),
    ],
)
async def test_wrong_call_is_refused_by_name(
    http: httpx.AsyncClient, options: dict[str, Any], param: str, said: str
) -> None:
    answer = await ask(http, **options)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["param"] == param
    assert said in answer.json()["detail"]


async def test_wrong_item_fails_alone(http: httpx.AsyncClient) -> None:
    answer = await ask(http, TEXT, {"token_ids": [1, 2]}, TEXT, labels=["person", "good thing"])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body["errors"]) == ["1"]
    assert body["items"][0]["entities"] == body["items"][2]["entities"] != []
    assert body["items"][1].get("entities", []) == []


async def test_one_word_without_end_harms_no_neighbour(http: httpx.AsyncClient) -> None:
    asked = {"labels": ["person", "good thing"], "threshold": 0.1}
    alone = await ask(http, TEXT, **asked)
    answer = await ask(http, "stone" * 20_000, TEXT, "stone " * 20_000, TEXT, **asked)
    assert answer.status_code == 200, answer.text
    expected = alone.json()["items"][0]["entities"]
    for index in (1, 3):
        found = answer.json()["items"][index]["entities"]
        assert [e["start"] for e in found] == [e["start"] for e in expected]


async def test_text_that_must_not_be_cut_is_refused(http: httpx.AsyncClient) -> None:
    long = "stone tablet " * 100
    answer = await ask(http, long, TEXT, labels=["place"], truncate="error")
    assert list(answer.json()["errors"]) == ["0"]
    assert "windows" in answer.json()["errors"]["0"]["message"]
