"""What only Xinference's handles ask for, over HTTP: tokens, text of pictures, videos and more."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fix_media
import fix_told
import httpx
import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, live
from PIL import Image
from tokenizers import Tokenizer

from stelae.engines.fake.engine import vector

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHECKPOINTS = ("bge-m3", "clip", "cross-encoder", "bert-mean", "florence2", "donut", "detr")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    sources = {name: {"source": str(zoo / name)} for name in CHECKPOINTS}
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        fix_media.install(patch)
        root = tmp_path_factory.mktemp("models")
        models = {
            **sources,
            "fake": FAKE,
            "sees": fix_told.settings(zoo / "qwen2-vl-chat"),
            "painter": fix_media.settings(root, "painter", fix_media.PAINTER),
        }
        async with (
            live(models=models) as server,
            httpx.AsyncClient(base_url=server.url, timeout=60) as client,
        ):
            yield client


async def asked(there: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await there.post(f"/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(there: httpx.AsyncClient, path: str, **body: Any) -> tuple[int, str, str]:
    answer = await there.post(f"/v1/{path}", json=body)
    said = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert said["detail"] == said["error"]["message"]
    return answer.status_code, said["error"]["code"], said["detail"]


def picture(colour: str = "red") -> bytes:
    made = BytesIO()
    Image.new("RGB", (32, 32), colour).save(made, "PNG")
    return made.getvalue()


def uri(colour: str = "red") -> str:
    return f"data:image/png;base64,{b64encode(picture(colour)).decode()}"


# -- embeddings ------------------------------------------------------------------------------


async def test_weights_of_terms_have_names_that_are_tokens(
    there: httpx.AsyncClient, zoo: Path
) -> None:
    body = {"model": "bge-m3", "input": ["the cat", "a dog"], "return_sparse": True}
    answer = await asked(there, "embeddings", **body)
    assert [row["object"] for row in answer["data"]] == ["sparse_embedding"] * 2
    weights = answer["data"][0]["embedding"]
    words = await asked(there, "convert_ids_to_tokens", model="bge-m3", input=[[*weights]])
    tokenizer = Tokenizer.from_file(str(zoo / "bge-m3" / "tokenizer.json"))
    spelled = set(tokenizer.encode("the cat", add_special_tokens=False).tokens)
    assert set(words[0]) <= spelled
    assert all(weight > 0 for weight in weights.values())


async def test_model_without_weights_of_terms_says_so(there: httpx.AsyncClient) -> None:
    status, code, said = await refused(
        there, "embeddings", model="bert-mean", input="a", return_sparse=True
    )
    assert (status, code) == (400, "unsupported_task")
    assert "sparse" in said


async def test_picture_told_by_an_object_has_the_vector_of_the_picture(
    there: httpx.AsyncClient,
) -> None:
    told = await asked(there, "embeddings", model="clip", input=[{"image": uri()}, "a cat"])
    alone = await asked(there, "embeddings", model="clip", input={"image": uri()})
    text = await asked(there, "embeddings", model="clip", input={"text": "a cat"})
    rows = [row["embedding"] for answer in (told, alone, text) for row in answer["data"]]
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-5)
    np.testing.assert_allclose(rows[1], rows[3], atol=1e-5)


async def test_text_is_read_as_far_as_asked(there: httpx.AsyncClient) -> None:
    body = {"model": "bert-mean", "input": "the cat and the dog and the bird"}
    cut = await asked(there, "embeddings", **body, truncate_prompt_tokens=4)
    assert cut["usage"]["prompt_tokens"] == 4
    assert cut["data"][0]["truncated"] is True
    whole = await asked(there, "embeddings", **body, truncate_prompt_tokens=-1)
    assert "truncated" not in whole["data"][0]
    status, _, said = await refused(there, "embeddings", **body, truncate_prompt_tokens=0)
    assert status == 400
    assert "1 or more" in said


# -- tokens ----------------------------------------------------------------------------------


async def test_tokens_are_spelled_as_the_vocabulary_does(
    there: httpx.AsyncClient, zoo: Path
) -> None:
    tokenizer = Tokenizer.from_file(str(zoo / "bert-mean" / "tokenizer.json"))
    known = tokenizer.encode("the cat")
    one = await asked(there, "convert_ids_to_tokens", model="bert-mean", input=known.ids)
    several = await asked(there, "convert_ids_to_tokens", model="bert-mean", input=[known.ids, []])
    texts = await asked(
        there, "convert_ids_to_tokens", model="bert-mean", input=[*map(str, known.ids)]
    )
    assert (one, several, texts) == (known.tokens, [known.tokens, []], known.tokens)
    assert await asked(there, "convert_ids_to_tokens", model="bert-mean", input=[]) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, [2]], "cannot be mixed"),
        ([10**9], "is no token of model 'bert-mean'"),
        ([-1], "no token's number"),
        (["x"], "no token's number"),
        ([[1], ["1" * 5000]], "no token's number"),
        ("a", "expected `array`"),
    ],
)
async def test_what_is_no_token_is_refused(
    there: httpx.AsyncClient, given: Any, words: str
) -> None:
    status, _, said = await refused(there, "convert_ids_to_tokens", model="bert-mean", input=given)
    assert status == 400
    assert words in said


async def test_model_without_a_tokenizer_says_so(there: httpx.AsyncClient) -> None:
    status, code, _ = await refused(there, "convert_ids_to_tokens", model="painter", input=[1])
    assert (status, code) == (400, "unsupported_task")


# -- text of pictures ------------------------------------------------------------------------


async def read(there: httpx.AsyncClient, model: str, data: bytes, **more: Any) -> httpx.Response:
    fields = {"model": model, "kwargs": json.dumps(more)}
    return await there.post("/v1/images/ocr", data=fields, files={"image": ("image", data)})


async def test_model_that_reads_documents_tells_their_text(there: httpx.AsyncClient) -> None:
    answer = await read(there, "florence2", picture(), max_new_tokens=4)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json(), str)
    placed = await read(there, "florence2", picture(), task="<OCR_WITH_REGION>", max_new_tokens=4)
    assert placed.json().keys() == {"text", "regions"}
    filled = await read(there, "donut", picture())
    assert filled.status_code == 200, filled.text


async def test_model_that_talks_and_sees_is_asked_for_the_text(there: httpx.AsyncClient) -> None:
    answer = await read(there, "sees", picture())
    assert "text in this picture" in answer.json()
    assert (await read(there, "sees", picture(), prompt="Free OCR.")).json() == "Free OCR."
    by_text = await asked(there, "images/ocr", model="sees", image=uri(), prompt="Free OCR.")
    assert by_text == "Free OCR."
    as_address = await read(there, "sees", uri().encode(), prompt="Free OCR.")
    assert as_address.json() == "Free OCR."


async def test_what_cannot_be_read_is_refused(there: httpx.AsyncClient) -> None:
    answers = [
        await read(there, "bert-mean", picture()),
        await read(there, "painter", picture()),
        await read(there, "sees", b"%PDF-1.7"),
        await read(there, "florence2", b"no picture"),
        await there.post("/v1/images/ocr", data={"model": "sees", "kwargs": "{}"}),
        await there.post("/v1/images/ocr", data={"model": "sees", "kwargs": "no JSON"}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 6
    assert [answer.json()["error"]["code"] for answer in answers[:2]] == ["unsupported_task"] * 2
    assert "send its pages as pictures" in answers[2].json()["detail"]
    assert (await read(there, "nobody", picture())).status_code == 404


# -- infer -----------------------------------------------------------------------------------


async def infer(there: httpx.AsyncClient, model: str, *args: Any, **more: Any) -> Any:
    return await asked(there, "flexible/infers", model=model, args=args, **more)


async def test_model_that_finds_objects_gets_pictures_in_any_way(there: httpx.AsyncClient) -> None:
    alone = await infer(there, "detr", uri(), threshold=0.0)
    assert alone.keys() == {"entities", "relations", "classifications", "objects", "data"}
    assert {"label", "score", "bbox"} == alone["objects"][0].keys()
    assert await infer(there, "detr", [uri()], threshold=0.0) == [alone]
    assert await infer(there, "detr", images=[uri()], threshold=0.0) == [alone]
    assert await infer(there, "detr", {"image": uri()}, threshold=0.0) == alone


async def test_model_that_compares_ranks_classes_of_a_picture(there: httpx.AsyncClient) -> None:
    labels = ["a cat", "a dog", "a bird"]
    ranked = await infer(there, "clip", image=uri(), candidate_labels=labels)
    assert {row["label"] for row in ranked} == set(labels)
    scores = [row["score"] for row in ranked]
    assert scores == sorted(scores, reverse=True)
    plain = await infer(there, "clip", {"image": uri()}, labels)
    by_label = {row["label"]: row["score"] for row in ranked}
    np.testing.assert_allclose(plain, [by_label[label] for label in labels], atol=1e-5)


async def test_model_that_embeds_gives_vectors_of_texts_and_pictures(
    there: httpx.AsyncClient,
) -> None:
    alone = await infer(there, "fake", "hello")
    np.testing.assert_allclose(alone, vector("hello", len(alone)), rtol=1e-6)
    several = await infer(there, "clip", ["a cat", {"image": uri()}])
    assert len(several) == 2
    same = await asked(there, "embeddings", model="clip", input=["a cat"])
    np.testing.assert_allclose(several[0], same["data"][0]["embedding"], atol=1e-5)


async def test_model_that_reads_pairs_scores_documents(there: httpx.AsyncClient) -> None:
    documents = ["a cat", "a dog"]
    by_name = await infer(there, "cross-encoder", input="the cat", documents=documents)
    assert await infer(there, "cross-encoder", "the cat", documents) == by_name
    assert len(by_name) == 2


@pytest.mark.parametrize(
    ("model", "args", "more", "words"),
    [
        ("clip", [], {}, "args is empty"),
        ("clip", [[]], {}, "the list of items is empty"),
        ("clip", [[1]], {}, "a text, or an object"),
        ("clip", ["a", [1]], {}, "a text, or an object"),
        ("sees", ["a"], {}, "output_schema"),
        ("painter", ["a"], {}, "infer is for models that find things"),
        ("detr", [uri()], {"threshold": 2}, "threshold"),
        ("detr", ["no base64"], {}, "base64"),
        ("clip", "a", {}, "args"),
    ],
)
async def test_infer_that_makes_no_sense_is_refused(
    there: httpx.AsyncClient, model: str, args: Any, more: Any, words: str
) -> None:
    status, _, said = await refused(there, "flexible/infers", model=model, args=args, **more)
    assert status == 400
    assert words in said


# -- videos ----------------------------------------------------------------------------------

VIDEOS = ("video/generations", "video/generations/image", "video/generations/flf")


@pytest.mark.parametrize(
    ("path", "what"), [*((path, "videos") for path in VIDEOS), ("worlds/generations", "worlds")]
)
async def test_nothing_makes_videos_and_that_is_said(
    there: httpx.AsyncClient, path: str, what: str
) -> None:
    status, code, said = await refused(there, path, model="clip", prompt="a town", n=1)
    assert (status, code) == (400, "unsupported_task")
    assert f"no engine that makes {what}" in said
    assert (await refused(there, path, model="nobody", prompt="a town"))[0] == 404
    form = {"image": ("image", picture()), "model": (None, "clip"), "kwargs": (None, "{}")}
    assert (await there.post(f"/v1/{path}", files=form)).status_code == 400


async def test_unknown_models_are_not_found_anywhere(there: httpx.AsyncClient) -> None:
    asks: list[tuple[str, dict[str, Any]]] = [
        ("embeddings", {"input": "a"}),
        ("convert_ids_to_tokens", {"input": [1]}),
        ("chat/completions", {"messages": [{"role": "user", "content": "a"}]}),
        ("completions", {"prompt": "a"}),
        ("images/generations", {"prompt": "a"}),
        ("audio/speech", {"input": "a"}),
        ("flexible/infers", {"args": ["a"]}),
    ]
    for path, body in asks:
        status, code, _ = await refused(there, path, model="nobody", **body)
        assert (path, status, code) == (path, 404, "model_not_found")
        if not path.startswith("images/"):  # those may leave their model open
            assert (await refused(there, path, **body))[0] == 400


# -- requests with names ---------------------------------------------------------------------


async def followed(there: httpx.AsyncClient, name: str) -> float:
    """How far a request is, once it is known."""
    while (told := await there.get(f"/v1/requests/{name}/progress")).status_code != 200:
        continue
    part: float = told.json()["progress"]
    return part


@pytest.mark.parametrize("word", ["!wait", "!more"])
async def test_request_with_a_name_is_ended_by_it(there: httpx.AsyncClient, word: str) -> None:
    body = {"model": "painter", "prompt": f"a {word}", "kwargs": {"request_id": f"r{word[1:]}"}}
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(there.post("/v1/images/generations", json=body))
        assert 0 <= await followed(there, f"r{word[1:]}") < 1
        path = f"/v1/models/painter/requests/r{word[1:]}/abort"
        assert (await there.post(path, json={"block_duration": 3})).json() == {"msg": "DONE"}
    told = answer.result()
    assert (told.status_code, told.json()["error"]["code"]) == (409, "conflict")
    assert "ended by its caller" in told.json()["detail"]


async def test_chat_that_streams_is_ended_in_the_middle(there: httpx.AsyncClient) -> None:
    said = [{"role": "user", "content": "one two !more"}]
    body = {"model": "sees", "messages": said, "request_id": "talk", "stream": True}
    async with there.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith("data: ")
        await there.post("/v1/models/sees/requests/talk/abort", json={})
        rest = [line async for line in lines if line]
    assert "ended by its caller" in rest[-1]
