"""Bad values in every field of encode and score: named when they are wrong, alone in failing."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, Live, live
from PIL import Image

from stelae.engines.fake.engine import overlap, terms
from stelae.types import EncodeCall, EncodeResult, Item, ScoreCall, ScoreResult
from stelae.wire.arrays import pack, unpack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENCODE, SCORE = "/stelae/v1/encode", "/stelae/v1/score"
JSON = {"Content-Type": "application/json"}
MSGPACK = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    real = {"three": "bge-m3", "pairs": "cross-encoder", "pictures": "clip", "plain": "bert-mean"}
    models = {name: {"source": str(zoo / folder)} for name, folder in real.items()}
    async with live(models={"fake": FAKE, **models}) as s:
        yield s


@pytest_asyncio.fixture(loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    """A client; afterwards the server must be alive and right."""
    # Without verify=False each client reads all certificates of the machine, for 40 ms.
    async with httpx.AsyncClient(base_url=server.url, timeout=30, verify=False) as client:  # noqa: S501
        yield client
        documents = [{"text": "still here"}]
        body = {"model": "fake", "query": {"text": "here"}, "documents": documents}
        assert (await client.post(SCORE, json=body)).json()["scores"] == [1.0]
    assert server.app.reception.ledger.held == 0


def refused(answer: httpx.Response, param: str | None, status: int = 400) -> dict[str, Any]:
    """The error of an answer that must be one."""
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["param"] == param
    assert error["message"]
    for secret in ("Traceback", "/src/", "site-packages", "0x"):
        assert secret not in answer.text
    return error


def call(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "items": [{"text": "a"}], **fields}


ALL = ["dense", "sparse", "multivector"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"outputs": []}, "outputs"),
        ({"outputs": ["thick"]}, "outputs[0]"),
        ({"outputs": ["dense", None]}, "outputs[1]"),
        ({"outputs": "dense"}, "outputs"),
        ({"dtype": "int4"}, "dtype"),
        ({"instruction": 3}, "instruction"),
        ({"instruction": "find"}, "instruction"),
        ({"pool_factor": "2"}, "pool_factor"),
        ({"pool_factor": 0, "outputs": ["multivector"]}, "pool_factor"),
        ({"pool_factor": -(2**62), "outputs": ["multivector"]}, "pool_factor"),
        ({"muvera": 3}, "muvera"),
        ({"muvera": {"cells": 3}}, "muvera.cells"),
        ({"muvera": {"repetitions": 0}}, "muvera.repetitions"),
        ({"muvera": {"repetitions": 10**12}}, "muvera.repetitions"),
        ({"muvera": {"projections": 60}}, "muvera.projections"),
        ({"muvera": {"dimensions": -1}}, "muvera.dimensions"),
        ({"muvera": {"dimensions": 10**12}}, "muvera.dimensions"),
        ({"muvera": {"seed": 10**30}}, "muvera.seed"),
        ({"muvera": {}, "outputs": ["sparse"]}, "muvera"),
        ({"muvera": {}, "dimensions": 8}, "dimensions"),
        ({"normalize": "yes"}, "normalize"),
        ({"output": ["dense"]}, "output"),
    ],
    ids=str,
)
async def test_wrong_option_of_encode_is_refused_by_name(
    fields: dict[str, Any], param: str, http: httpx.AsyncClient
) -> None:
    refused(await http.post(ENCODE, json=call("three", **fields)), param)


@pytest.mark.parametrize("kind", ["sparse", "multivector"])
async def test_kind_that_the_model_does_not_make_is_refused(
    kind: str, http: httpx.AsyncClient
) -> None:
    error = refused(await http.post(ENCODE, json=call("plain", outputs=["dense", kind])), "outputs")
    assert error["code"] == "unsupported_task"
    assert "makes dense only" in error["message"]


async def test_model_that_only_scores_says_so(http: httpx.AsyncClient) -> None:
    error = refused(await http.post(ENCODE, json=call("pairs")), "model")
    assert error["code"] == "unsupported_task"
    assert (await http.post("/v1/embeddings", json={"model": "pairs", "input": "a"})).is_error


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": None}, "query"),
        ({"query": "text"}, "query"),
        ({"query": [{"text": "a"}]}, "query"),
        ({"query": {}}, "query"),
        ({"query": {"text": "a", "token_ids": [1]}}, "query"),
        ({"query": {"text": 3}}, "query.text"),
        ({"query": {"token_ids": [-1]}}, "query"),
        ({"query": {"token_ids": [10**9]}}, "query"),
        ({"query": {"token_ids": [10**30]}}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": {}}, "documents"),
        ({"documents": "text"}, "documents"),
        ({"documents": ["text"]}, "documents[0]"),
        ({"documents": [{"text": "a"}, {}]}, "documents[1]"),
        ({"documents": [{"text": "a"}, {"txt": "a"}]}, "documents[1]"),
        ({"documents": [{"text": "a"}, {"text": "a", "image": ""}]}, "documents[1]"),
        ({"by": "thick"}, "by"),
        ({"normalize": 3}, "normalize"),
        ({"truncate": "middle"}, "truncate"),
        ({"instruction": "find"}, "instruction"),
        ({"items": []}, "items"),
        ({"top_k": 3}, "top_k"),
    ],
    ids=str,
)
async def test_wrong_field_of_score_is_refused_by_name(
    fields: dict[str, Any], param: str, http: httpx.AsyncClient
) -> None:
    plain = {"model": "pairs", "query": {"text": "q"}, "documents": [{"text": "d"}]}
    refused(await http.post(SCORE, json={**plain, **fields}), param)


async def test_lone_surrogates_are_refused_by_their_place(http: httpx.AsyncClient) -> None:
    for path, body, param in (
        (SCORE, r'{"model":"fake","query":{"text":"\ud800"},"documents":[{}]}', "query.text"),
        (
            SCORE,
            r'{"model":"fake","query":{"text":"q"},"documents":[{"text":"a"},{"text":"\ud800"}]}',
            "documents[1].text",
        ),
        (
            ENCODE,
            r'{"model":"fake","items":[{"text":"a"}],"instruction":"\udc00"}',
            "instruction",
        ),
    ):
        refused(await http.post(path, content=body.encode(), headers=JSON), param)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": "fake", "query": ' + b"[" * 100_000,
        b'{"model": "fake", "documents": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_body_that_is_no_score_request_is_refused(
    body: bytes, http: httpx.AsyncClient
) -> None:
    assert (await http.post(SCORE, content=body, headers=JSON)).status_code == 400


async def test_one_bad_document_leaves_its_neighbours_unharmed(http: httpx.AsyncClient) -> None:
    documents = [Item(text="b c"), Item(text="!bad"), Item(text="c"), Item(image=b"x")]
    asked = ScoreCall(model="fake", query=Item(text="b c"), documents=documents)
    answer = await http.post(SCORE, content=pack(asked), headers=MSGPACK)
    result = unpack(answer.content, ScoreResult)
    assert list(result.errors) == [1]
    assert result.scores[[0, 2, 3]].tolist() == [1.0, overlap("b c", "c"), 0.0]
    assert np.isnan(result.scores[1])


@pytest.mark.parametrize("model", ["pairs", "three"])
async def test_bad_documents_of_a_real_model_fail_alone(
    model: str, http: httpx.AsyncClient
) -> None:
    bad = [{"token_ids": [-1]}, {"token_ids": [10**9]}, {"image": "AAAA"}, {"pixels": [[1]]}]
    good = [{"text": "some text"}, {"text": ""}, {"text": "word " * 20_000}, {"token_ids": []}]
    body = {"model": model, "query": {"text": "words"}, "documents": [*bad, *good]}
    answer = (await http.post(SCORE, json=body)).json()
    assert sorted(answer["errors"]) == ["0", "1", "2", "3"]
    assert answer["scores"][:4] == [None] * 4
    alone = (await http.post(SCORE, json={**body, "documents": good})).json()
    np.testing.assert_allclose(answer["scores"][4:], alone["scores"], atol=1e-5)
    assert answer["truncated"][6]


async def test_bad_items_have_no_terms_and_no_vectors(http: httpx.AsyncClient) -> None:
    items = [{"text": "one"}, {"token_ids": [-1]}, {"image": "AAAA"}, {"text": "two"}]
    body = {"model": "three", "items": items, "outputs": ALL, "dtype": "int8"}
    answer = (await http.post(ENCODE, json=body)).json()
    assert sorted(answer["errors"]) == ["1", "2"]
    for column in ("sparse", "multivector"):
        offsets = answer[column]["offsets"]
        assert offsets[1] == offsets[2] == offsets[3]
    assert set(answer["dense"][1]) == {0}
    good = {**body, "items": [items[0], items[3]]}
    alone = (await http.post(ENCODE, json=good)).json()
    assert [answer["dense"][0], answer["dense"][3]] == alone["dense"]
    assert answer["sparse"]["indices"] == alone["sparse"]["indices"]


def png(width: int, height: int, rows: bytes) -> bytes:
    """A picture file made by hand: its head may lie."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def saved(image: Image.Image, kind: str) -> bytes:
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


GOOD = saved(Image.new("RGB", (9, 7), "red"), "PNG")


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"no picture",
        GOOD[:40],
        png(13_000, 13_000, b"\0" * 20_000),
        png(2**31 - 1, 2**31 - 1, b""),
        png(0, 0, b""),
        b"GIF89a" + b"\xff" * 100,
        b"RIFF\x10\x00\x00\x00WEBPVP8X",
        b"%PDF-1.4",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_bad_picture_fails_alone(image: bytes, http: httpx.AsyncClient) -> None:
    items = [{"image": base64.b64encode(data).decode()} for data in (GOOD, image, GOOD)]
    answer = (await http.post(ENCODE, json={"model": "pictures", "items": items})).json()
    assert list(answer["errors"]) == ["1"], answer
    assert answer["errors"]["1"]["code"] == "invalid_input"
    np.testing.assert_allclose(answer["dense"][0], answer["dense"][2], atol=1e-6)


@pytest.mark.parametrize(
    "pixels",
    [[], [[]], [[[]]], [1], [[[1, 2]]], [[-1]], [[256]], [[1.5]], [[[[1]]]]],
    ids=str,
)
async def test_pixels_of_no_picture_fail_alone(pixels: Any, http: httpx.AsyncClient) -> None:
    items = [{"pixels": pixels}, {"pixels": [[0, 255], [3, 4]]}, {"text": "a red square"}]
    answer = (await http.post(ENCODE, json={"model": "pictures", "items": items})).json()
    assert list(answer["errors"]) == ["0"], answer
    assert answer["errors"]["0"]["code"] == "invalid_input"


@pytest.mark.parametrize(
    "value",
    [
        '"text"',
        "3",
        "{}",
        "[[1], [2, 3]]",
        '[["a"]]',
        "[[null]]",
        "[[99999999999999999999999]]",
        '{"dtype": "|O", "shape": [1], "data": "AAAAAAAAAAA="}',
        '{"dtype": "|u1", "shape": [100000, 100000, 3], "data": "AAAA"}',
        '{"dtype": "|u1", "shape": [-1], "data": ""}',
        '{"dtype": "|u1", "shape": [1, 1, 1, 1, 1, 1, 1, 1, 1], "data": "AA=="}',
        "[" * 100 + "]" * 100,
    ],
    ids=lambda text: text[:40],
)
async def test_pixels_that_are_no_array_are_refused_by_name(
    value: str, http: httpx.AsyncClient
) -> None:
    body = '{"model": "fake", "items": [{"text": "a"}, {"pixels": ' + value + "}]}"
    answer = await http.post(ENCODE, content=body.encode(), headers=JSON)
    param = answer.json()["error"]["param"]
    refused(answer, param)
    assert param is None or param.startswith("items[1].pixels")  # none: nested too deeply to tell


@pytest.mark.parametrize("value", ['"!"', '"AAA"', "3", "[1, 2]", "{}", '"data:image/png,x"'])
async def test_image_that_is_no_base64_is_refused_by_name(
    value: str, http: httpx.AsyncClient
) -> None:
    body = '{"model": "fake", "items": [{"text": "a"}, {"image": ' + value + "}]}"
    refused(await http.post(ENCODE, content=body.encode(), headers=JSON), "items[1].image")


async def test_pixels_in_msgpack_must_have_their_bytes(http: httpx.AsyncClient) -> None:
    for pixels in (
        {"dtype": "|u1", "shape": [2, 2], "data": b"abc"},
        {"dtype": "|u1", "shape": [2, 2]},
        {"dtype": "<c8", "shape": [1, 1], "data": b"12345678"},
        {"dtype": "|u1", "shape": "22", "data": b"abcd"},
        b"abcd",
    ):
        body = msgspec.msgpack.encode({"model": "fake", "items": [{"pixels": pixels}]})
        headers = {"Content-Type": "application/msgpack"}
        answer = await http.post(ENCODE, content=body, headers=headers)
        param = answer.json()["error"]["param"]
        assert refused(answer, param)["param"].startswith("items[0].pixels")


async def test_odd_texts_are_texts_in_every_kind_of_answer(http: httpx.AsyncClient) -> None:
    texts = ["", "  \t\n", "nul \0 byte", "\U0001f600 \ufdfa", "\u202eright", "a" * 100_000]
    # A word where a member of the set is meant, as untyped callers write it.
    asked = EncodeCall(model="fake", items=[Item(text=t) for t in texts], outputs=("sparse",))  # type: ignore[arg-type]
    answer = await http.post(ENCODE, content=pack(asked), headers=MSGPACK)
    found = unpack(answer.content, EncodeResult).sparse
    assert found is not None
    for text, item in zip(texts, found, strict=True):
        assert dict(zip(*item, strict=True)) == terms(text)
    for model in ("three", "pairs"):
        body = {
            "model": model,
            "query": {"text": texts[2]},
            "documents": [{"text": t} for t in texts],
        }
        scores = (await http.post(SCORE, json=body)).json()["scores"]
        assert np.isfinite(np.array(scores, np.float32)).all(), json.dumps(scores)


@pytest.mark.slow
async def test_hundred_thousand_documents_are_scored_in_order(http: httpx.AsyncClient) -> None:
    documents = [Item(text=f"t{n}") for n in range(100_000)]
    asked = ScoreCall(model="fake", query=Item(text="t7 t99999"), documents=documents)
    answer = await http.post(SCORE, content=pack(asked), headers=MSGPACK)
    result = unpack(answer.content, ScoreResult)
    assert np.flatnonzero(result.scores).tolist() == [7, 99_999]
