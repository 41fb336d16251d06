"""Bad calls to models that look at pictures: a typed error, and life goes on."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fix_pictures import blots
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXTRACT = "/stelae/v1/extract"


def file_of(height: int = 60, width: int = 90) -> bytes:
    file = BytesIO()
    blots(height, width).save(file, "PNG")
    return file.getvalue()


GOOD = file_of()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(zoo: Path) -> AsyncIterator[httpx.AsyncClient]:
    kinds = ("owlv2", "detr", "florence2")
    models = {name: {"source": str(zoo / name), "dtype": "float32"} for name in kinds}
    async with (
        live(models=models) as server,
        # Without verify=False each client reads all certificates of the machine, for 40 ms.
        httpx.AsyncClient(base_url=server.url, timeout=60, verify=False) as client,  # noqa: S501
    ):
        yield client


async def ask(
    http: httpx.AsyncClient, model: str, *images: bytes, **options: Any
) -> httpx.Response:
    items = [{"image": b64encode(image).decode()} for image in images or (GOOD,)]
    return await http.post(EXTRACT, json={"model": model, "items": items, **options})


async def test_objects_are_found(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "owlv2", labels=["a cat", "tree"], threshold=0.05)
    assert answer.status_code == 200, answer.text
    objects = answer.json()["items"][0]["objects"]
    assert objects
    for found in objects:
        x, y, width, height = found["bbox"]
        assert found["label"] in {"a cat", "tree"}
        assert 0 <= x < x + width <= 90
        assert 0 <= y < y + height <= 60
    scores = [found["score"] for found in objects]
    assert scores == sorted(scores, reverse=True)


async def test_answer_is_written(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "florence2", instruction="<CAPTION>", max_new_tokens=5, beams=1)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json()["items"][0]["data"]["text"], str)


NOT_WHOLE = (
    b"",
    b"no picture",
    GOOD[:100],
    GOOD[:-40],
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a" + b"\xff" * 99,
)


@pytest.mark.parametrize("model", ["owlv2", "detr", "florence2"])
async def test_broken_pictures_fail_alone(http: httpx.AsyncClient, model: str) -> None:
    labels = {"labels": ["tree"]} if model == "owlv2" else {}
    answer = await ask(http, model, *NOT_WHOLE, GOOD, **labels)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert sorted(map(int, body["errors"])) == list(range(len(NOT_WHOLE)))
    assert {error["code"] for error in body["errors"].values()} == {"invalid_input"}
    assert len(body["items"]) == len(NOT_WHOLE) + 1


@pytest.mark.parametrize(
    ("model", "options", "param", "said"),
    [
        ("owlv2", {}, "labels", "what to look for"),
        ("owlv2", {"labels": [f"kind {i}" for i in range(2000)]}, "labels", "fewer"),
        ("owlv2", {"labels": ["tree"], "instruction": "look"}, "instruction", "leave it out"),
        ("detr", {"labels": ["persn"]}, "labels", "not trained to find 'persn'"),
        ("detr", {"threshold": -1}, "threshold", "0 to 1"),
        ("florence2", {"labels": ["tree"]}, "labels", "give instruction"),
        ("florence2", {"instruction": "see"}, "instruction", "begin with a task"),
        ("florence2", {"max_new_tokens": 10**9}, "max_new_tokens", "choose 1.."),
        ("florence2", {"beams": -3}, "beams", "choose 1..16"),
        ("florence2", {"output_schema": {}}, "output_schema", "chat models fill in"),
    ],
)
async def test_wrong_call_is_refused_by_name(
    http: httpx.AsyncClient, model: str, options: dict[str, Any], param: str, said: str
) -> None:
    answer = await ask(http, model, **options)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["param"] == param
    assert said in answer.json()["detail"]


async def test_text_is_refused_where_pictures_are_read(http: httpx.AsyncClient) -> None:
    body = {"model": "detr", "items": [{"text": "a cat"}]}
    answer = await http.post(EXTRACT, json=body)
    assert answer.status_code == 200, answer.text
    assert "needs image or pixels" in answer.json()["errors"]["0"]["message"]
