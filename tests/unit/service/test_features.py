"""Remembered vectors: the same answers with fewer runs, within bounds, each caller's own."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from live import live

from stelae.errors import ErrorInfo
from stelae.service.features import OVERHEAD, Features
from stelae.types import EmbeddingDtype, EncodeCall, EncodeResult, Item, OutputType, Usage

WIDTH = 8


def vector(text: str) -> list[float]:
    return [float(ord(text[0])) + n for n in range(WIDTH)]


class Model:
    """A model by definition: what it makes of a text, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, call: EncodeCall) -> EncodeResult:
        texts = [item.text or "" for item in call.items]
        self.asked += texts
        dtype = np.float16 if call.format is EmbeddingDtype.FLOAT16 else np.float32
        tokens = np.array([len(text) for text in texts], np.int32)
        broken = ErrorInfo(code="input_too_long", message="too long")
        return EncodeResult(
            model="m",
            fingerprint="f",
            dense=np.array([vector(text) for text in texts], dtype),
            tokens=tokens,
            truncated=tokens > 2,
            errors={row: broken for row, text in enumerate(texts) if text == "x"},
            usage=Usage(tokens=int(tokens.sum())),
        )


def call(*texts: str, **options: Any) -> EncodeCall:
    return EncodeCall(model="m", items=[Item(text=text) for text in texts], **options)


async def test_an_item_seen_before_is_not_run_again() -> None:
    model, features = Model(), Features(10_000)
    first = await features.encode(call("a", "bbb"), "f", None, model)
    again = await features.encode(call("c", "bbb", "a", "c"), "f", None, model)
    assert model.asked == ["a", "bbb", "c"]
    assert first.usage == Usage(tokens=4)
    assert again.dense is not None
    assert again.dense.tolist() == [vector(t) for t in ("c", "bbb", "a", "c")]
    assert again.dense.dtype == np.float32
    assert again.tokens.tolist() == [1, 3, 1, 1]
    assert again.truncated.tolist() == [False, True, False, False]
    assert again.usage == Usage(tokens=6, remembered=3)
    whole = await features.encode(call("a", "a"), "f", None, model)
    assert (whole.usage, len(model.asked)) == (Usage(tokens=2, remembered=2), 3)


@pytest.mark.parametrize(
    ("fingerprint", "tenant", "options"),
    [
        ("other", None, {}),
        ("f", "key", {}),
        ("f", None, {"prompt": "p"}),
        ("f", None, {"dimensions": 4}),
        ("f", None, {"normalize": False}),
        ("f", None, {"dtype": EmbeddingDtype.FLOAT16}),
    ],
)
async def test_nothing_is_shared_that_could_differ(
    fingerprint: str, tenant: str | None, options: dict[str, Any]
) -> None:
    model, features = Model(), Features(10_000)
    await features.encode(call("a"), "f", None, model)
    await features.encode(call("a", **options), fingerprint, tenant, model)
    assert model.asked == ["a", "a"]


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": EmbeddingDtype.INT8},
        {"outputs": (OutputType.SPARSE,)},
        {"outputs": (OutputType.DENSE, OutputType.MULTIVECTOR)},
        {"lora": "l"},
    ],
)
async def test_what_depends_on_more_than_the_item_is_always_run(options: dict[str, Any]) -> None:
    model, features = Model(), Features(10_000)
    for _ in range(2):
        await features.encode(call("a", **options), "f", None, model)
    assert model.asked == ["a", "a"]
    assert features.bytes == 0


async def test_a_failed_item_is_told_where_it_stands_and_not_remembered() -> None:
    model, features = Model(), Features(10_000)
    await features.encode(call("a"), "f", None, model)
    for _ in range(2):
        result = await features.encode(call("a", "b", "x", "a"), "f", None, model)
        assert list(result.errors) == [2]
    assert model.asked == ["a", "b", "x", "x"]


async def test_memory_is_bounded_and_the_least_recently_used_go_first() -> None:
    entry = 4 * WIDTH + OVERHEAD
    model, features = Model(), Features(3 * entry)
    for text in ("a", "b", "c", "a", "d"):
        await features.encode(call(text), "f", None, model)
        assert features.bytes <= 3 * entry
    model.asked.clear()
    await features.encode(call("a", "c", "d"), "f", None, model)
    assert model.asked == []
    await features.encode(call("b"), "f", None, model)
    assert model.asked == ["b"]


async def test_without_memory_every_call_is_run_as_it_is() -> None:
    model, features = Model(), Features(0)
    for _ in range(2):
        await features.encode(call("a", "a"), "f", None, model)
    assert model.asked == ["a"] * 4


async def test_a_server_answers_the_same_with_memory_and_counts_what_it_spared() -> None:
    body = {"model": "fake", "items": [{"text": "one"}, {"text": "two"}]}
    answers = []
    remembering = live(cache={"bytes": 1_000_000})
    async with remembering as server, httpx.AsyncClient(base_url=server.url) as client:
        for _ in range(3):
            answers.append((await client.post("/stelae/v1/encode", json=body)).json())
        metrics = (await client.get("/metrics")).text
    assert answers[0]["dense"] == answers[1]["dense"] == answers[2]["dense"]
    assert answers[2]["usage"]["remembered"] == 2
    assert answers[2]["usage"]["tokens"] == answers[0]["usage"]["tokens"]
    assert 'stelae_remembered_total{model="fake"} ' in metrics
