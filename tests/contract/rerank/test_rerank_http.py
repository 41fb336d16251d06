"""Reranking over plain HTTP: each protocol's documented requests, and the shape of its answers."""

from __future__ import annotations

import base64
import random
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fix_pictures import blots
from live import FAKE, Live, live
from repo import ROOT
from tiny.overlap import group

from stelae.client import AsyncClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

GROUP = group(random.Random(78))
DOCUMENTS = list(GROUP.documents)
BEST = int(np.argmax(GROUP.shares))
ASKED = {"model": "pairs", "query": GROUP.query, "documents": DOCUMENTS}
PAIRS = {"source": str(ROOT / "tests" / "data" / "overlap-reranker"), "dtype": "float32"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    real = {"pictures": "clip", "labels": "cross-encoder-labels", "asked": "qwen3-reranker"}
    models = {name: {"source": str(zoo / folder)} for name, folder in real.items()}
    async with live(models={"pairs": PAIRS, "fake": FAKE, **models}) as made:
        await made.house.fleet.load("pairs")
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as opened:
        yield opened


def png() -> str:
    """A picture as base64."""
    held = BytesIO()
    blots(20, 30).save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


async def told(http: httpx.AsyncClient, path: str, **body: Any) -> Any:
    """What a request that is right is answered with."""
    answer = await http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def logits(server: Live) -> list[float]:
    """What the model itself says of the documents."""
    async with AsyncClient(server.url, model="pairs") as client:
        scored = await client.score(GROUP.query, DOCUMENTS, normalize=False)
    return [float(score) for score in scored.scores]


async def test_scores_are_the_logistic_function_of_logits(
    http: httpx.AsyncClient, server: Live
) -> None:
    results = (await told(http, "/v1/rerank", **ASKED))["results"]
    assert results[0]["index"] == BEST
    scores = {r["index"]: r["relevance_score"] for r in results}
    expected = 1 / (1 + np.exp(-np.array(await logits(server))))
    assert np.allclose([scores[i] for i in range(len(DOCUMENTS))], expected, atol=1e-6)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)


async def test_xinference_tells_documents_as_its_contract_has_it(http: httpx.AsyncClient) -> None:
    nulls = {"top_n": None, "max_chunks_per_doc": None, "return_len": None, "kwargs": "{}"}
    for wanted, expected in [
        (None, DOCUMENTS[BEST]),
        (True, {"text": DOCUMENTS[BEST]}),
        (False, None),
    ]:
        made = await told(http, "/v1/rerank", **ASKED, **nulls, return_documents=wanted)
        assert made["results"][0]["document"] == expected
        assert made["id"]
        assert made["meta"]["tokens"]["input_tokens"] > 0
        assert made["meta"]["warnings"] is None


async def test_jina_is_told_usage_and_objects_as_they_were_sent(http: httpx.AsyncClient) -> None:
    documents = [{"text": text} for text in DOCUMENTS]
    made = await told(http, "/v1/rerank", **{**ASKED, "documents": documents, "top_n": 2})
    assert made["model"] == "pairs"
    assert len(made["results"]) == 2
    assert made["results"][0]["document"] == documents[BEST]
    assert made["usage"]["total_tokens"] == made["usage"]["prompt_tokens"] > 0


async def test_second_version_of_cohere_tells_no_documents(http: httpx.AsyncClient) -> None:
    made = await told(http, "/v2/rerank", **ASKED, top_n=3, max_tokens_per_doc=4096)
    assert [set(result) for result in made["results"]] == [{"index", "relevance_score"}] * 3
    assert made["meta"]["api_version"] == {"version": "2"}
    assert made["meta"]["billed_units"] == {"search_units": 1}
    assert made["meta"]["warnings"] is None


async def test_cohere_reads_the_fields_that_are_named_in_their_order(
    http: httpx.AsyncClient,
) -> None:
    first, second = GROUP.query.split(" ", 1)
    documents = [{"title": "x", "body": "y"}, {"body": second, "title": first, "n": 1}]
    asked = {"model": "pairs", "query": GROUP.query, "documents": documents}
    fields = {"rank_fields": ["title", "body"], "return_documents": True}
    made = await told(http, "/v1/rerank", **asked, **fields)
    assert made["results"][0]["document"] == documents[1]
    plain = {**asked, "documents": ["x\ny", f"{first}\n{second}"]}
    scores = [r["relevance_score"] for r in made["results"]]
    same = (await told(http, "/v1/rerank", **plain))["results"]
    assert [r["relevance_score"] for r in same] == scores


@pytest.mark.parametrize("own", [{"top_k": 2}, {"top_k": None}, {"truncation": True}])
async def test_voyage_is_known_by_its_fields(http: httpx.AsyncClient, own: dict[str, Any]) -> None:
    made = await told(http, "/v1/rerank", **ASKED, **own)
    assert made["object"] == "list"
    assert len(made["data"]) == (own.get("top_k") or len(DOCUMENTS))
    assert set(made["data"][0]) == {"index", "relevance_score"}
    assert made["usage"]["total_tokens"] > 0
    whole = await told(http, "/v1/rerank", **ASKED, **own, return_documents=True)
    assert whole["data"][0]["document"] == DOCUMENTS[BEST]


async def test_tei_is_answered_with_a_bare_list(http: httpx.AsyncClient, server: Live) -> None:
    asked = {"model": "pairs", "query": GROUP.query, "texts": DOCUMENTS}
    made = await told(http, "/rerank", **asked)
    assert [set(rank) for rank in made] == [{"index", "score"}] * len(DOCUMENTS)
    assert made[0]["index"] == BEST
    raw = await told(http, "/rerank", **asked, raw_scores=True, return_text=True)
    assert raw[0]["text"] == DOCUMENTS[BEST]
    scores = {rank["index"]: rank["score"] for rank in raw}
    expected = await logits(server)
    assert np.allclose([scores[i] for i in range(len(DOCUMENTS))], expected, atol=1e-5)


async def test_the_only_reranker_answers_those_who_name_none() -> None:
    asked = {"query": GROUP.query, "texts": DOCUMENTS}
    both = {"pairs": PAIRS, "twin": PAIRS, "fake": FAKE}
    async with live(models=both) as made, httpx.AsyncClient(base_url=made.url) as http:
        for name in both:
            await made.house.fleet.spec(name)
        refused = await http.post("/rerank", json=asked)
        assert refused.status_code == 422
        assert "pairs, twin" in refused.json()["error"]
        await made.house.fleet.load("twin")
        assert (await told(http, "/rerank", **asked))[0]["index"] == BEST


async def test_a_path_without_version_takes_documents_too(http: httpx.AsyncClient) -> None:
    made = await told(http, "/rerank", **ASKED)
    assert made["results"][0]["index"] == BEST


async def test_models_for_vectors_rank_by_how_near_they_are(http: httpx.AsyncClient) -> None:
    asked = {"model": "fake", "query": "a b", "documents": ["a b", "b c", "d"]}
    made = await told(http, "/v1/rerank", **asked)
    assert [r["index"] for r in made["results"]] == [0, 1, 2]
    assert made["results"][0]["relevance_score"] == 1.0


async def test_equal_documents_keep_their_order(http: httpx.AsyncClient) -> None:
    asked = {"model": "fake", "query": "a", "documents": ["a", "b", "a", "a"]}
    made = await told(http, "/v1/rerank", **asked)
    assert [r["index"] for r in made["results"]] == [0, 2, 3, 1]


async def test_pictures_are_ranked_by_models_that_see(http: httpx.AsyncClient) -> None:
    picture = png()
    documents = ["a text", {"image": f"data:image/png;base64,{picture}"}, {"image": picture}]
    asked = {"model": "pictures", "query": {"image": picture}, "documents": documents}
    made = await told(http, "/v1/rerank", **asked)
    assert [r["index"] for r in made["results"]] == [1, 2, 0]
    assert made["results"][0]["relevance_score"] == pytest.approx(1, abs=1e-5)


async def test_instructions_reach_models_that_follow_them(http: httpx.AsyncClient) -> None:
    asked = {"model": "asked", "query": "a", "documents": ["the river", "the sea"]}
    plain = await told(http, "/v1/rerank", **asked)
    other = await told(http, "/v1/rerank", **asked, instruction="Find what is about boats")
    assert plain["usage"]["total_tokens"] != other["usage"]["total_tokens"]
    assert all(0 <= r["relevance_score"] <= 1 for r in plain["results"])


async def test_what_is_not_heeded_is_said(http: httpx.AsyncClient) -> None:
    made = await told(http, "/v1/rerank", **ASKED, max_tokens_per_doc=3, max_chunks_per_doc=2)
    warnings = made["meta"]["warnings"]
    assert [w.split("=")[0].split()[0] for w in warnings] == [
        "max_chunks_per_doc",
        "max_tokens_per_doc",
    ]


LONG = " ".join([DOCUMENTS[0]] * 40)


@pytest.mark.parametrize(
    ("path", "changed", "param"),
    [
        ("/v1/rerank", {"documents": []}, "documents"),
        ("/v1/rerank", {"documents": None}, "documents"),
        ("/v1/rerank", {"documents": "a"}, "documents"),
        ("/v1/rerank", {"documents": [3]}, "documents[0]"),
        ("/v1/rerank", {"documents": [{"title": "a"}]}, "documents[0]"),
        ("/v1/rerank", {"documents": ["a", {"text": None}]}, "documents[1]"),
        ("/v1/rerank", {"documents": [{"image": "!"}]}, "documents[0].image"),
        ("/v1/rerank", {"documents": [{"image": "file:///etc/passwd"}]}, "documents[0].image"),
        ("/v1/rerank", {"documents": [{"image": "/etc/passwd"}]}, "documents[0].image"),
        ("/v1/rerank", {"query": None}, "query"),
        ("/v1/rerank", {"query": {}}, "query"),
        ("/v1/rerank", {"query": ["a"]}, "query"),
        ("/v1/rerank", {"top_n": 0}, "top_n"),
        ("/v1/rerank", {"top_n": 1.5}, "top_n"),
        ("/v1/rerank", {"top_k": -1}, "top_k"),
        ("/v1/rerank", {"instruction": "Find it"}, "instruction"),
        ("/v1/rerank", {"model": "labels"}, "model"),
        ("/v1/rerank", {"documents": [LONG], "truncation": False}, "documents[0]"),
        ("/v2/rerank", {"relevant_spans": {"enabled": True}}, "relevant_spans"),
        ("/v2/rerank", {"return_embeddings": True}, "return_embeddings"),
    ],
)
async def test_bad_input_is_named(
    http: httpx.AsyncClient, path: str, changed: dict[str, Any], param: str
) -> None:
    answer = await http.post(path, json={**ASKED, **changed})
    assert answer.status_code == 400, answer.text
    said = answer.json()
    assert said["message"] == said["detail"]
    if {"top_k", "truncation"} & changed.keys():  # Voyage's, which reads a sentence alone
        assert "error" not in said
        assert param in said["detail"]
    else:
        assert said["error"]["param"] == param
    assert "/src/" not in answer.text


async def test_unknown_models_are_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/rerank", json={**ASKED, "model": "none"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_tei_errors_are_sentences_with_the_kind_it_knows(http: httpx.AsyncClient) -> None:
    asked = {"model": "pairs", "query": GROUP.query, "texts": DOCUMENTS}
    for changed, status, kind in [
        ({"texts": []}, 422, "Validation"),
        ({"texts": [LONG], "truncate": False}, 413, "Validation"),
        ({"texts": [3]}, 422, "Validation"),
        ({"model": "labels"}, 424, "Backend"),
    ]:
        answer = await http.post("/rerank", json={**asked, **changed})
        assert answer.status_code == status, answer.text
        assert answer.json()["error_type"] == kind
        assert isinstance(answer.json()["error"], str)


async def test_nothing_to_rank_is_missed_by_the_name_that_the_path_has_for_it(
    http: httpx.AsyncClient,
) -> None:
    asked = {"model": "pairs", "query": GROUP.query}
    for path, name in (("/rerank", "texts"), ("/v1/rerank", "documents")):
        answer = await http.post(path, json=asked)
        assert answer.json()["detail"].startswith(f"{name}: ")
    answer = await http.post("/rerank", json={**asked, "documents": []})
    assert answer.json()["detail"].startswith("documents: ")


@pytest.mark.parametrize("name", ["texts", "documents"])
async def test_too_many_are_refused_by_the_name_that_they_came_under(name: str) -> None:
    async with (
        live(models={"fake": FAKE}, limits={"items": 2}) as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        asked = {"model": "fake", "query": "a", name: ["b"] * 3}
        answer = await http.post("/tei/fake/rerank" if name == "texts" else "/rerank", json=asked)
        assert answer.status_code in (400, 413, 422)
        assert name in answer.text
