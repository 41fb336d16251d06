"""``/v1/embeddings`` as Jina's and Voyage's clients spell it, over plain HTTP."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fix_pictures import blots
from fix_rerank import serving
from live import Live

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "river " * 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    async with serving(zoo) as made:
        yield made[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/v1", timeout=60) as opened:
        yield opened


async def rows(http: httpx.AsyncClient, *given: Any, model: str = "plain", **fields: Any) -> Any:
    """The vectors that a request is answered with."""
    body = {"model": model, "input": [*given], **fields}
    answer = await http.post("/embeddings", json=body)
    assert answer.status_code == 200, answer.text
    return [one["embedding"] for one in answer.json()["data"]]


async def test_jina_is_answered_as_its_reference_has_it(http: httpx.AsyncClient) -> None:
    body = {
        "model": "plain",
        "task": "text-matching",
        "normalized": True,
        "embedding_type": "float",
        "input": [{"text": "the river"}, "the sea"],
    }
    told = (await http.post("/embeddings", json=body)).json()
    assert told["object"] == "list"
    assert [(one["object"], one["index"]) for one in told["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]
    assert told["usage"]["total_tokens"] == told["usage"]["prompt_tokens"] > 0
    assert np.linalg.norm([one["embedding"] for one in told["data"]], axis=1) == pytest.approx(1)


@pytest.mark.parametrize("field", ["task", "input_type"])
@pytest.mark.parametrize(
    ("purpose", "prompt"),
    [
        ("query", "find: "),
        ("retrieval.query", "find: "),
        ("code.query", "find: "),
        ("document", "read: "),
        ("retrieval.passage", "read: "),
        ("separation", ""),
    ],
)
async def test_purposes_choose_the_models_prompts(
    http: httpx.AsyncClient, field: str, purpose: str, prompt: str
) -> None:
    made = await rows(http, "tree", model="prompted", **{field: purpose})
    assert made == await rows(http, f"{prompt}tree", model="prompted")


async def test_number_formats_are_those_of_the_same_vectors(http: httpx.AsyncClient) -> None:
    (plain,) = np.array(await rows(http, "tree"), np.float32)
    (text,) = await rows(http, "tree", embedding_type="base64")
    assert np.array_equal(np.frombuffer(base64.b64decode(text), "<f4"), plain)
    bits = np.packbits(plain > 0)
    assert (await rows(http, "tree", embedding_type="ubinary"))[0] == bits.tolist()
    signed = (bits.astype(int) - 128).tolist()
    assert (await rows(http, "tree", embedding_type="binary"))[0] == signed
    assert (await rows(http, "tree", output_dtype="binary"))[0] == signed
    (text,) = await rows(http, "tree", output_dtype="int8", encoding_format="base64")
    codes = np.frombuffer(base64.b64decode(text), np.int8)
    assert np.array_equal(codes, np.rint(plain / np.abs(plain).max() * 127))


async def test_widths_are_named_by_either_field(http: httpx.AsyncClient) -> None:
    made = await rows(http, "tree", model="nested", output_dimension=16)
    assert made == await rows(http, "tree", model="nested", dimensions=16)
    assert len(made[0]) == 16


async def test_pictures_are_told_by_objects(http: httpx.AsyncClient) -> None:
    held = BytesIO()
    blots(20, 30).save(held, "PNG")
    picture = base64.b64encode(held.getvalue()).decode()
    uri = f"data:image/png;base64,{picture}"
    made = await rows(http, {"image": picture}, {"image": uri}, {"text": "a tree"}, model="seeing")
    assert made[0] == made[1]
    assert len(made[2]) == len(made[0])


@pytest.mark.parametrize("field", ["truncate", "truncation"])
async def test_long_texts_are_cut_or_refused(http: httpx.AsyncClient, field: str) -> None:
    assert len(await rows(http, LONG, **{field: True})) == 1
    body = {"model": "plain", "input": ["a", LONG], field: False}
    answer = await http.post("/embeddings", json=body)
    assert answer.status_code == 400
    assert "input[1]" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"late_chunking": True}, "late_chunking"),
        ({"task": "nonsense"}, "task"),
        ({"task": 3}, "task"),
        ({"input_type": "nonsense"}, "input_type"),
        ({"output_dimension": 10**6}, "output_dimension"),
        ({"dimensions": 10**6}, "dimensions"),
        ({"embedding_type": "int3"}, "embedding_type"),
        ({"output_dtype": "base64"}, "output_dtype"),
        ({"truncate": "middle"}, "truncate"),
        ({"input": [{"image": "!"}]}, "input[0].image"),
        ({"input": [{"url": "x"}]}, "input[0]"),
    ],
)
async def test_bad_input_is_named_as_it_was_sent(
    http: httpx.AsyncClient, fields: dict[str, Any], param: str
) -> None:
    body = {"model": "nested", "input": ["a"], **fields}
    answer = await http.post("/embeddings", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
