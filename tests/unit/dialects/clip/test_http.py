from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, Live, live
from PIL import Image, ImageDraw

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHAPES = Path(__file__).parents[3] / "data" / "clip-shapes"
COLOURS = {"red": (220, 30, 30), "blue": (30, 60, 220)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live(models={"clip": {"source": str(SHAPES)}, "fake": FAKE}) as made:
        await made.house.fleet.load("clip")
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


def picture(colour: str) -> np.ndarray[Any, Any]:
    canvas = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(canvas).ellipse((12, 12, 52, 52), fill=COLOURS[colour])
    return np.asarray(canvas)


def blob(colour: str) -> str:
    """As ``base64 FILE`` writes it: lines of 76 characters."""
    file = io.BytesIO()
    Image.fromarray(picture(colour)).save(file, "PNG")
    return base64.encodebytes(file.getvalue()).decode()


async def post(
    http: httpx.AsyncClient, data: Any, endpoint: str = "/", **parameters: Any
) -> dict[str, Any]:
    body = {"data": data, "execEndpoint": endpoint, "parameters": parameters}
    answer = await http.post("/post", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_samples_of_the_guide_for_curl(http: httpx.AsyncClient) -> None:
    data = [{"text": "First do it"}, {"blob": blob("red")}]

    answer = (await http.post("/post", json={"data": data, "execEndpoint": "/"})).json()

    assert len({len(doc["embedding"]) for doc in answer["data"]}) == 1
    assert answer["data"][0]["mime_type"] == "text/plain"
    assert all(len(doc["id"]) == 32 for doc in answer["data"])
    assert answer["header"]["status"] is None
    assert [set(route) for route in answer["routes"]] == [
        {"executor", "startTime", "endTime", "status"}
    ] * 2


async def test_vectors_are_those_of_the_model_of_their_own_length(http: httpx.AsyncClient) -> None:
    answer = await post(http, [{"text": "a red circle"}])
    body = {"model": "clip", "input": ["a red circle"]}
    other = await http.post("/v1/embeddings", json=body)

    vector = np.array(answer["data"][0]["embedding"])
    unit = np.array(other.json()["data"][0]["embedding"])
    length = np.linalg.norm(vector)
    assert length > 2
    assert vector / length == pytest.approx(unit / np.linalg.norm(unit), abs=1e-5)


async def test_numbers_have_no_more_digits_than_they_need(http: httpx.AsyncClient) -> None:
    body = {"data": [{"text": "a red circle"}]}

    text = (await http.post("/post", json=body)).text

    numbers = json.loads(text, parse_float=str)["data"][0]["embedding"]
    assert max(len(number.lstrip("-0.").split("e")[0].replace(".", "")) for number in numbers) <= 9


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"text": "a"}], "exec_endpoint": "/encode"},
        {"data": [{"text": "a"}], "execEndpoint": "/encode", "targetExecutor": "x"},
        {"data": {"docs": [{"text": "a"}]}},
        {"data": [{"text": "a", "blob": None, "tags": {"k": 1}, "unknown": 3}]},
        {"data": [{"text": "a"}], "header": {"exec_endpoint": "/encode", "other": 1}},
    ],
)
async def test_requests_are_read_in_every_spelling(
    http: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = (await http.post("/post", json=body)).json()

    assert len(answer["data"][0]["embedding"]) == 40
    assert answer["data"][0]["text"] == "a"


async def test_ids_tags_and_parameters_come_back(http: httpx.AsyncClient) -> None:
    doc = {"id": "mine", "text": "a", "tags": {"n": 1, "deep": {"er": [1, 2]}}, "weight": 0.5}
    body = {"header": {"request_id": "r" * 32}, "data": [doc], "parameters": {"x": [1]}}

    answer = (await http.post("/post", json=body)).json()

    assert {**doc, "mime_type": "text/plain"}.items() <= answer["data"][0].items()
    assert answer["header"]["requestId"] == "r" * 32
    assert answer["parameters"] == {"x": [1]}


async def test_no_documents_and_documents_without_content_come_back_as_they_are(
    http: httpx.AsyncClient,
) -> None:
    assert (await post(http, []))["data"] == []
    assert (await post(http, [{"id": "only"}]))["data"] == [{"id": "only"}]


async def test_pictures_come_back_unless_they_are_to_be_dropped(http: httpx.AsyncClient) -> None:
    doc = {"blob": blob("red"), "uri": "red.png", "mime_type": "image/png"}

    kept = (await post(http, [doc]))["data"][0]
    dropped = (await post(http, [doc], drop_image_content=True))["data"][0]

    assert kept["blob"] == doc["blob"]
    assert "blob" not in dropped
    assert (dropped["uri"], dropped["mime_type"]) == ("red.png", "image/png")
    assert dropped["embedding"] == kept["embedding"]


async def test_tensors_and_files_of_one_picture_have_one_vector(http: httpx.AsyncClient) -> None:
    answer = await post(http, [{"tensor": picture("red").tolist()}, {"blob": blob("red")}])

    first, second = (np.array(doc["embedding"]) for doc in answer["data"])
    assert first == pytest.approx(second, abs=1e-4)


async def test_broken_documents_are_marked_and_their_neighbours_answered(
    http: httpx.AsyncClient,
) -> None:
    data = [
        {"text": "a"},
        {"blob": base64.b64encode(b"no picture").decode()},
        {"blob": "!!"},
        {"tensor": [[1, 2], [3]]},
        {"tensor": [["a"]]},
        {"uri": "http://127.0.0.1:9/x.png"},
        {"text": "b"},
    ]

    answer = await post(http, data)

    there = ["embedding" in doc for doc in answer["data"]]
    assert there == [True, False, False, False, False, False, True]
    assert answer["header"]["status"]["code"] == 0
    assert answer["header"]["status"]["description"].startswith("5 of 7 documents failed: ")
    for doc in answer["data"][1:6]:
        assert doc["tags"]["error"]["code"] == "invalid_input"
        assert doc["tags"]["error"]["message"]


async def test_an_answer_of_broken_documents_alone_is_an_error(http: httpx.AsyncClient) -> None:
    answer = await post(http, [{"id": "x", "blob": "AAAA"}])

    status = answer["header"]["status"]
    assert status["code"] == 1
    assert status["exception"]["name"] == "ValueError"
    assert status["exception"]["stacks"] == []
    assert answer["data"][0]["id"] == "x"


async def test_the_client_is_told_of_an_error_only_where_it_would_miss_a_vector(
    http: httpx.AsyncClient,
) -> None:
    agent = {"User-Agent": "Python/3.11 aiohttp/3.14.5"}
    words = [{"text": "a red circle"}, {"blob": "AAAA"}]
    codes = {}
    for endpoint, data in (("/encode", words), ("/rank", [{"text": "a", "matches": words}])):
        body = {"data": data, "execEndpoint": endpoint}
        answer = (await http.post("/post", json=body, headers=agent)).json()
        codes[endpoint] = answer["header"]["status"]["code"]
    assert codes == {"/encode": 1, "/rank": 0}
    first, last = answer["data"][0]["matches"]
    assert first["scores"]["clip_score"]["value"] == 1.0
    assert "error" in last["tags"]


async def test_unknown_models_are_errors(http: httpx.AsyncClient) -> None:
    for endpoint in ("/encode/nobody", "/rank/nobody"):
        answer = await post(http, [{"text": "a", "matches": [{"text": "b"}]}], endpoint)
        assert answer["header"]["status"]["exception"]["name"] == "ModelNotFound"
        assert answer["header"]["execEndpoint"] == endpoint
    answer = await post(http, [{"text": "a"}], "/encode", model_name="nobody")
    assert answer["header"]["status"]["code"] == 1


async def test_models_are_chosen_by_endpoint_and_parameter(http: httpx.AsyncClient) -> None:
    assert len((await post(http, [{"text": "a"}], "/encode/fake"))["data"][0]["embedding"]) == 384
    answer = await post(http, [{"text": "a"}], "/encode", model_name="fake")
    assert len(answer["data"][0]["embedding"]) == 384


async def test_access_paths_say_which_documents_get_vectors(http: httpx.AsyncClient) -> None:
    doc = {"text": "root", "chunks": [{"text": "chunk", "chunks": [{"text": "inner"}]}]}

    answer = (await post(http, [doc], access_paths="@c"))["data"][0]

    assert "embedding" not in answer
    assert len(answer["chunks"][0]["embedding"]) == 40
    assert "embedding" not in answer["chunks"][0]["chunks"][0]
    wrong = await post(http, [doc], access_paths="@x")
    assert "access path" in wrong["header"]["status"]["description"]


async def test_the_red_circle_ranks_first_and_the_other_way_round(http: httpx.AsyncClient) -> None:
    words = [{"text": f"a {colour} circle"} for colour in ("green", "red", "blue")]
    answer = await post(http, [{"blob": blob("red"), "matches": words}], "/rank")

    (root,) = answer["data"]
    matches = root["matches"]
    assert matches[0]["text"] == "a red circle"
    shares = [match["scores"]["clip_score"]["value"] for match in matches]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert {m["scores"]["clip_score_cosine"]["op_name"] for m in matches} == {"cosine"}
    assert all("embedding" not in match for match in matches)
    assert len(root["embedding"]) == 40

    pictures = [{"id": colour, "blob": blob(colour)} for colour in ("blue", "red")]
    answer = await post(
        http, [{"text": "a red circle", "matches": pictures}], "/rank", drop_image_content=True
    )
    first, second = answer["data"][0]["matches"]
    assert (first["id"], second["id"]) == ("red", "blue")
    assert first["blob"] == blob("red")


async def test_a_broken_match_stands_last_without_scores(http: httpx.AsyncClient) -> None:
    matches = [{"id": "bad", "blob": "AAAA"}, {"text": "a blue circle"}, {"text": "a red circle"}]

    answer = await post(http, [{"blob": blob("red"), "matches": matches}], "/rank")

    ranked = answer["data"][0]["matches"]
    assert [match.get("text") for match in ranked] == ["a red circle", "a blue circle", None]
    assert "scores" not in ranked[2]
    assert ranked[2]["tags"]["error"]["code"] == "invalid_input"


async def test_chunks_are_ranked_where_there_are_no_matches(http: httpx.AsyncClient) -> None:
    chunks = [{"text": "a blue circle"}, {"text": "a red circle"}]

    (root,) = (await post(http, [{"blob": blob("red"), "chunks": chunks}], "/rank"))["data"]

    assert [doc["text"] for doc in root["chunks"]] == ["a red circle", "a blue circle"]
    assert root["matches"] == root["chunks"]


async def test_documents_that_are_kept_are_found_the_nearest_first(
    http: httpx.AsyncClient,
) -> None:
    words = ["a red circle", "a blue circle", "a green square", "a red square"]
    kept = [{"id": word, "text": word, "tags": {"n": n}} for n, word in enumerate(words)]
    indexed = (await http.post("/index", json={"data": kept})).json()
    encoded = await post(http, [{"text": "a red circle"}])
    assert indexed["header"]["execEndpoint"] == "/index"
    vector = indexed["data"][0]["embedding"]
    assert vector == pytest.approx(encoded["data"][0]["embedding"], abs=1e-4)

    query = {"data": [{"text": "a red circle"}, {"blob": blob("blue")}], "parameters": {"limit": 2}}
    words_found, seen = (await http.post("/search", json=query)).json()["data"]

    assert next(match["id"] for match in words_found["matches"]) == "a red circle"
    assert next(match["id"] for match in seen["matches"]) == "a blue circle"
    distances = [match["scores"]["cosine"]["value"] for match in words_found["matches"]]
    assert distances == sorted(distances)
    assert distances[0] == pytest.approx(0, abs=1e-5)
    assert len(distances) == 2
    first = words_found["matches"][0]
    assert (first["text"], first["tags"], first["adjacency"]) == ("a red circle", {"n": 0}, 1)
    assert "embedding" in words_found

    filtered = {"filter": {"n": {"$gt": 0}}, "limit": 9}
    query = {"data": [{"text": "a red circle"}], "parameters": filtered}
    (found,) = (await http.post("/search", json=query)).json()["data"]
    assert len(found["matches"]) == 3

    tagged = {"data": [{"id": "a red circle", "tags": {"n": 7}}]}
    assert (await http.put("/update", json=tagged)).json()["header"]["status"] is None
    (found,) = (await http.post("/search", json=query)).json()["data"]
    assert found["matches"][0]["tags"] == {"n": 7}

    gone = {"data": [{"id": "a blue circle"}], "parameters": {"ids": ["a red circle"]}}
    assert (await http.request("DELETE", "/delete", json=gone)).json()["header"]["status"] is None
    (found,) = (await http.post("/search", json=query)).json()["data"]
    assert {match["id"] for match in found["matches"]} == {"a green square", "a red square"}

    (chosen,) = (await post(http, [], "/filter", filter={"n": {"$lt": 3}}))["data"]
    assert (chosen["id"], chosen["text"]) == ("a green square", "a green square")
    every = await post(http, [], "/filter", offset=1, limit=5)
    assert [doc["id"] for doc in every["data"]] == ["a red square"]
    (told,) = (await post(http, [], "/status"))["data"]
    assert (told["tags"]["model"], told["tags"]["size"]) == ("clip", 2)

    other = {"data": [{"text": "a"}], "parameters": {"model_name": "fake"}}
    told = (await http.post("/search", json=other)).json()["header"]["status"]
    assert "'clip'" in told["description"]


async def test_a_search_where_nothing_is_kept_says_so(http: httpx.AsyncClient) -> None:
    answer = await post(http, [{"text": "a"}], "/search", collection="nothing")

    assert answer["header"]["status"]["exception"]["name"] == "NotFound"


async def test_broken_documents_are_not_kept_and_marked(http: httpx.AsyncClient) -> None:
    docs = [
        {"id": "good", "text": "a"},
        {"id": "bad", "blob": "AAAA"},
        {"id": "worse", "blob": "!"},
    ]

    answer = await post(http, docs, "/index", collection="some")
    query = await post(http, [{"text": "a"}], "/search", collection="some")

    assert ["embedding" in doc for doc in answer["data"]] == [True, False, False]
    assert answer["header"]["status"]["description"].startswith("2 of 3 documents failed")
    assert [match["id"] for match in query["data"][0]["matches"]] == ["good"]


async def test_bodies_that_cannot_be_read_are_named(http: httpx.AsyncClient) -> None:
    deep = '{"data":[{"text":"a","tags":' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}]}"
    for content in ("{", '{"data": 3}', '{"data": [{"text": 3}]}', deep, "[]", '{"data":[null]}'):
        answer = await http.post("/post", content=content)
        assert answer.status_code == 422, content[:50]
        assert answer.json()["detail"][0]["msg"]


async def test_values_nested_deeper_than_can_be_written_are_refused(
    http: httpx.AsyncClient,
) -> None:
    deep = '{"data":[{"text":"a","tags":' + '{"a":' * 300 + "1" + "}" * 300 + "}]}"

    answer = await http.post("/post", content=deep)

    assert answer.status_code == 422
    assert "nested" in answer.text


async def test_the_client_is_told_three_paths_and_others_all_of_them(
    http: httpx.AsyncClient,
) -> None:
    agent = {"User-Agent": "Python/3.11 aiohttp/3.14.5"}

    own = (await http.get("/openapi.json", headers=agent)).json()
    whole = (await http.get("/openapi.json")).json()

    assert set(own["paths"]) == {"/post", "/index", "/search"}
    assert "/v1/embeddings" in whole["paths"]


async def test_the_pages_that_are_asked_before_a_key_is_shown() -> None:
    async with live(api_keys=["sesame"]) as made, httpx.AsyncClient(base_url=made.url) as http:
        assert (await http.get("/dry_run")).json() == {
            "code": 0,
            "description": "",
            "exception": None,
        }
        assert (await http.get("/openapi.json")).status_code == 200
        assert (await http.post("/post", json={"data": []})).status_code == 401
        for shown in ("sesame", "Bearer sesame", "bearer sesame"):
            headers = {"Authorization": shown}
            assert (await http.post("/post", json={"data": []}, headers=headers)).status_code == 200
