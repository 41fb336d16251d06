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
MODELS = {
    "names": "gliner-span",
    "apart": "gliner-bi",
    "links": "gliner-relations",
    "sorter": "gliclass",
    "judge": "cross-encoder-labels",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(zoo: Path) -> AsyncIterator[httpx.AsyncClient]:
    models = {
        name: {"source": str(zoo / folder), "dtype": "float32"} for name, folder in MODELS.items()
    }
    async with (
        live(models=models) as server,
        # Without verify=False each client reads all certificates of the machine, for 40 ms.
        httpx.AsyncClient(base_url=server.url, timeout=30, verify=False) as client,  # noqa: S501
    ):
        yield client


async def ask(http: httpx.AsyncClient, *items: Any, **options: Any) -> httpx.Response:
    given = [{"text": item} if isinstance(item, str) else item for item in items or [TEXT]]
    body = {"model": "names", "items": given} | options
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
        (
            {"labels": ["person"], "output_schema": {"type": "object"}},
            "output_schema",
            "does not write; chat models fill in a schema",
        ),
        ({"labels": ["person"], "threshold": 2}, "threshold", "0 to 1"),
        ({"labels": ["person", "person"]}, "labels", "twice"),
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


LABELS: list[tuple[list[str], str]] = [
    ([f"kind {i}" for i in range(10_000)], "fewer"),
    (["person", " "], "letters"),
    (["person", "person"], "twice"),
    (["person", "x" * 1_000_000], "at most 4,000"),
    (["x " * 1_000 + str(i) for i in range(101)], "at most 200,000"),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("labels", "said"), LABELS, ids=[said for _, said in LABELS])
async def test_labels_that_no_model_reads_are_refused_by_each(
    http: httpx.AsyncClient, model: str, labels: list[str], said: str
) -> None:
    answer = await ask(http, model=model, labels=labels)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == "labels"
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("model", MODELS)
async def test_one_word_without_end_harms_no_neighbour(http: httpx.AsyncClient, model: str) -> None:
    asked = {"labels": ["person", "good thing"], "threshold": 0.1, "model": model}
    alone = (await ask(http, TEXT, **asked)).json()["items"][0]
    answer = await ask(http, "stone" * 20_000, TEXT, "stone " * 2_000, TEXT, **asked)
    assert answer.status_code == 200, answer.text
    assert alone
    for index in (1, 3):
        assert kinds(answer.json()["items"][index]) == kinds(alone)


def kinds(item: dict[str, Any]) -> list[tuple[int | None, str]]:
    found = [*item.get("entities", []), *item.get("classifications", [])]
    return sorted((one.get("start"), one["label"]) for one in found)


async def test_text_that_must_not_be_cut_is_refused(http: httpx.AsyncClient) -> None:
    long = "stone tablet " * 100
    answer = await ask(http, long, TEXT, labels=["place"], truncate="error")
    assert list(answer.json()["errors"]) == ["0"]
    assert "windows" in answer.json()["errors"]["0"]["message"]
