"""TEI's documented requests over plain HTTP, and the bare answers that its clients read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fix_rerank import PAIRS, PROMPTS
from huggingface_hub import InferenceClient
from live import FAKE, Live, live
from scipy.special import softmax
from tokenizers import Tokenizer

from stelae.client import AsyncClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = ["the river flows", "to the sea, the wide sea"]
LONG = "river " * 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    plain = {"source": str(zoo / "bert-mean"), "dtype": "float32"}
    models = {
        "plain": {**plain, "prompts": PROMPTS},
        "org/three": {"source": str(zoo / "bge-m3"), "dtype": "float32"},
        "labels": {"source": str(zoo / "cross-encoder-labels"), "dtype": "float32"},
        "pairs": PAIRS,
        "fake": FAKE,
    }
    async with live(models=models) as made:
        for name in models:
            await made.house.fleet.load(name)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, model="plain") as opened:
        yield opened


async def told(http: httpx.AsyncClient, path: str, **body: Any) -> Any:
    """What a request that is right is answered with."""
    answer = await http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_vectors_have_unit_length_unless_it_is_not_wanted(
    http: httpx.AsyncClient, client: AsyncClient
) -> None:
    unit = await client.encode(TEXTS, normalize=True)
    made = await told(http, "/tei/plain/embed", inputs=TEXTS)
    assert np.array_equal(np.array(made, np.float32), unit.dense)
    plain = await client.encode(TEXTS, normalize=False)
    made = await told(http, "/tei/plain/embed", inputs=TEXTS, normalize=False)
    assert np.array_equal(np.array(made, np.float32), plain.dense)


async def test_a_single_text_is_answered_with_a_list_of_one(http: httpx.AsyncClient) -> None:
    (lone,) = await told(http, "/tei/plain/embed", inputs=TEXTS[0])
    assert [lone] == await told(http, "/tei/plain/embed", inputs=TEXTS[:1])


async def test_the_body_names_a_model_as_well_as_the_path(http: httpx.AsyncClient) -> None:
    made = await told(http, "/embed", inputs=TEXTS, model="org/three")
    assert made == await told(http, "/tei/org/three/embed", inputs=TEXTS)
    answer = await http.post("/embed", json={"inputs": TEXTS})
    assert answer.status_code == 422
    assert "org/three" in answer.json()["error"]


async def test_ids_of_tokens_stand_for_their_texts(http: httpx.AsyncClient) -> None:
    cut = await told(http, "/tei/plain/tokenize", inputs=TEXTS, add_special_tokens=False)
    ids = [[token["id"] for token in row] for row in cut]
    by_texts = await told(http, "/tei/plain/embed", inputs=TEXTS)
    assert await told(http, "/tei/plain/embed", inputs=ids) == by_texts
    assert await told(http, "/tei/plain/embed", inputs=ids[0]) == by_texts[:1]


async def test_prompts_are_chosen_by_name(http: httpx.AsyncClient) -> None:
    made = await told(http, "/tei/plain/embed", inputs="tree", prompt_name="query")
    assert made == await told(http, "/tei/plain/embed", inputs="find: tree")


async def test_long_texts_are_cut_where_it_is_wanted(http: httpx.AsyncClient) -> None:
    end = await told(http, "/tei/plain/embed", inputs=LONG + "sea")
    assert end == await told(http, "/tei/plain/embed", inputs=LONG + "flows")
    for side in ("Left", "left"):
        how = {"truncate": True, "truncation_direction": side}
        start = await told(http, "/tei/plain/embed", inputs=LONG + "sea", **how)
        assert start != end
    refused = await http.post("/tei/plain/embed", json={"inputs": ["a", LONG], "truncate": False})
    assert (refused.status_code, refused.json()["error_type"]) == (413, "Validation")
    assert refused.json()["param"] == "inputs[1]"


async def test_vectors_of_tokens_and_weights_of_terms(
    http: httpx.AsyncClient, client: AsyncClient
) -> None:
    both = await client.encode(TEXTS, model="org/three", outputs=["multivector", "sparse"])
    every = await told(http, "/tei/org/three/embed_all", inputs=TEXTS)
    for row, matrix in zip(every, both.multivector, strict=True):
        assert np.allclose(row, matrix, atol=1e-6)
    weights = await told(http, "/tei/org/three/embed_sparse", inputs=TEXTS)
    for row, terms in zip(weights, both.sparse, strict=True):
        assert [term["index"] for term in row] == terms.indices.tolist()
        assert np.allclose([term["value"] for term in row], terms.values, atol=1e-6)


async def test_similarity_is_the_cosine_of_vectors(
    http: httpx.AsyncClient, client: AsyncClient
) -> None:
    inputs = {"source_sentence": TEXTS[0], "sentences": [TEXTS[1], TEXTS[0]]}
    made = await told(http, "/tei/plain/similarity", inputs=inputs)
    rows = (await client.encode(TEXTS, normalize=True)).dense
    assert np.allclose(made, [rows[0] @ rows[1], 1], atol=1e-6)
    read = {"parameters": {"prompt_name": "query"}}
    other = await told(http, "/tei/plain/similarity", inputs=inputs, **read)
    assert other != made


async def test_classes_of_pairs_are_told_likeliest_first(
    http: httpx.AsyncClient, client: AsyncClient
) -> None:
    first, second = TEXTS
    scored = await client.score(first, [second, first], model="labels", normalize=False)
    expected = softmax(scored.scores, axis=1)
    pairs = [[first, second], [first, first], [second, first]]
    made = await told(http, "/tei/labels/predict", inputs=pairs)
    for row, likely in zip(made, expected, strict=False):
        by_label = {one["label"]: one["score"] for one in row}
        assert np.allclose([by_label[label] for label in scored.labels], likely, atol=1e-6)
        assert [one["score"] for one in row] == sorted(by_label.values(), reverse=True)
    assert await told(http, "/tei/labels/predict", inputs=pairs[0]) == made[0]
    raw = await told(http, "/tei/labels/predict", inputs=pairs[0], raw_scores=True)
    assert sum(one["score"] for one in raw) == pytest.approx(scored.scores[0].sum(), abs=1e-5)


async def test_a_reranker_has_one_class(http: httpx.AsyncClient) -> None:
    (one,) = await told(http, "/tei/pairs/predict", inputs=TEXTS)
    (rank,) = await told(http, "/tei/pairs/rerank", query=TEXTS[0], texts=TEXTS[1:])
    assert one == {"score": pytest.approx(rank["score"]), "label": "LABEL_0"}


async def test_usage_of_many_pairs_is_counted_whole(http: httpx.AsyncClient) -> None:
    async def counted() -> float:
        lines = (await http.get("/metrics")).text.splitlines()
        found = [line for line in lines if line.startswith("stelae_tokens") and "pairs" in line]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    pairs = [[text, other] for text in TEXTS for other in TEXTS]
    before = await counted()
    for pair in pairs:
        await told(http, "/tei/pairs/predict", inputs=pair)
    alone = await counted() - before
    await told(http, "/tei/pairs/predict", inputs=pairs)
    assert await counted() - before == 2 * alone > 0


async def test_many_pairs_keep_their_places(http: httpx.AsyncClient) -> None:
    pairs = [[str(n), str(n) if n % 3 else "other"] for n in range(300)]
    made = await told(http, "/tei/fake/predict", inputs=pairs)
    assert [row[0]["score"] for row in made] == [float(bool(n % 3)) for n in range(300)]
    bad = await http.post("/tei/fake/predict", json={"inputs": [*pairs, ["a", "!bad"]]})
    assert "inputs[300]" in bad.json()["error"]


async def test_tokens_are_those_of_the_tokenizer(http: httpx.AsyncClient, zoo: Path) -> None:
    tokenizer = Tokenizer.from_file(str(zoo / "bert-mean" / "tokenizer.json"))
    tokenizer.no_padding()
    made = await told(http, "/tei/plain/tokenize", inputs=TEXTS)
    for text, row in zip(TEXTS, made, strict=True):
        assert [token["id"] for token in row] == tokenizer.encode(text).ids
        assert (row[0]["special"], row[0]["start"], row[0]["text"]) == (True, None, "[CLS]")
        plain = [token for token in row if not token["special"]]
        assert all(text[t["start"] : t["stop"]] == t["text"] for t in plain)
        assert await told(http, "/tei/plain/decode", ids=[t["id"] for t in row]) == [
            tokenizer.decode(tokenizer.encode(text).ids)
        ]
    ids = [[token["id"] for token in row] for row in made]
    whole = await told(http, "/tei/plain/decode", ids=ids, skip_special_tokens=False)
    assert all(text.startswith("[CLS]") for text in whole)


async def test_models_are_described(http: httpx.AsyncClient) -> None:
    async def info(name: str) -> Any:
        return (await http.get(f"/tei/{name}/info")).json()

    assert (await info("plain"))["model_type"] == {"embedding": {"pooling": "mean"}}
    assert (await info("org/three"))["model_type"] == {"embedding": {"pooling": "cls"}}
    reranker = (await info("pairs"))["model_type"]["reranker"]
    assert reranker == {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    assert len((await info("labels"))["model_type"]["classifier"]["id2label"]) > 1
    told = (await http.get("/info", params={"model": "plain"})).json()
    assert told["model_id"] == "plain"
    assert told["max_input_length"] > 0
    assert told["auto_truncate"] is True
    assert (await http.get("/tei/plain/health")).status_code == 200
    assert (await http.get("/tei/none/health")).status_code == 404


async def test_the_hubs_own_client_asks_at_the_models_address(
    http: httpx.AsyncClient, server: Live
) -> None:
    hub = InferenceClient(f"{server.url}/tei/plain")
    made = await asyncio.to_thread(hub.feature_extraction, TEXTS, normalize=True)
    expected = await told(http, "/tei/plain/embed", inputs=TEXTS)
    assert np.array_equal(np.array(made), np.array(expected, np.float32))
    hub = InferenceClient(f"{server.url}/tei/plain/similarity")
    near = await asyncio.to_thread(hub.sentence_similarity, TEXTS[0], other_sentences=TEXTS)
    assert near[0] == pytest.approx(1, abs=1e-5)


async def test_a_models_address_does_what_the_model_is_for(http: httpx.AsyncClient) -> None:
    asked = {"query": TEXTS[0], "texts": TEXTS}
    assert await told(http, "/tei/pairs", **asked) == await told(http, "/tei/pairs/rerank", **asked)
    classes = await told(http, "/tei/labels", inputs=TEXTS)
    assert classes == await told(http, "/tei/labels/predict", inputs=TEXTS)
    vectors = await told(http, "/tei/org/three", inputs=TEXTS)
    assert vectors == await told(http, "/tei/org/three/embed", inputs=TEXTS)
    assert (await http.post("/tei/none", json={"inputs": "a"})).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/tei/none/embed", {"inputs": "a"}, 404, "none"),
        ("/tei/plain/embed", {"inputs": []}, 422, "inputs"),
        ("/tei/plain/embed", {"inputs": ["a", 3]}, 422, "inputs[1]"),
        ("/tei/plain/embed", {"inputs": ["a", []]}, 422, "inputs[1]"),
        ("/tei/plain/embed", {"inputs": [-1]}, 422, "inputs"),
        ("/tei/plain/embed", {"inputs": None}, 422, "inputs"),
        ("/tei/plain/embed", {}, 422, "inputs"),
        ("/tei/plain/embed", {"inputs": "a", "prompt_name": "none"}, 422, "prompt_name"),
        ("/tei/plain/embed", {"inputs": "a", "truncation_direction": "up"}, 422, "Left"),
        ("/tei/plain/embed", {"inputs": "a", "dimensions": 3}, 422, "dimensions"),
        ("/tei/plain/embed_sparse", {"inputs": "a"}, 424, "sparse"),
        ("/tei/plain/embed_all", {"inputs": "a"}, 424, "multivector"),
        ("/tei/pairs/embed", {"inputs": "a"}, 424, "pairs"),
        ("/tei/plain/similarity", {"inputs": {"source_sentence": "a"}}, 422, "sentences"),
        (
            "/tei/plain/similarity",
            {"inputs": {"source_sentence": "a", "sentences": []}},
            422,
            "sentences",
        ),
        ("/tei/labels/predict", {"inputs": "a"}, 424, "two together"),
        ("/tei/labels/predict", {"inputs": []}, 422, "pair"),
        ("/tei/labels/predict", {"inputs": ["a", "b", "c"]}, 422, "one or two"),
        ("/tei/labels/predict", {"inputs": [["a", "b"], "c"]}, 422, "inputs[1]"),
        (
            "/tei/labels/predict",
            {"inputs": [["a", "b"], ["c", LONG]], "truncate": False},
            413,
            "inputs[1]",
        ),
        ("/tei/labels/rerank", {"query": "a", "texts": ["b"]}, 424, "scores"),
        ("/tei/plain/decode", {"ids": [10**6]}, 422, "ids[0]"),
        ("/tei/plain/decode", {"ids": [1, [2]]}, 422, "mixed"),
        ("/tei/plain/tokenize", {"inputs": 3}, 422, "inputs"),
        ("/tei/plain/tokenize", {"inputs": "a", "prompt_name": "none"}, 422, "query"),
    ],
)
async def test_bad_input_is_a_sentence_with_its_kind(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, word: str
) -> None:
    answer = await http.post(path, json=body)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert word in said["error"]
    assert said["error_type"] == ("Backend" if status == 424 else "Validation")


@pytest.mark.parametrize("path", ["/embed", "/rerank", "/tei/fake/embed", "/tei/fake/nowhere"])
async def test_errors_from_before_the_paths_are_sentences_too(path: str) -> None:
    keyed = live(models={"fake": FAKE}, api_keys=["sesame"])
    async with keyed as made, httpx.AsyncClient(base_url=made.url) as http:
        answer = await http.post(path, json={"inputs": "a"})
    assert answer.status_code == 401
    assert isinstance(answer.json()["error"], str)


async def test_ranking_nothing_is_refused_by_the_field_of_teis_clients(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post("/tei/pairs/rerank", json={"query": "a river"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("texts: ")
