"""Stelae's own clients against a live port: what unit tests cannot see of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, live
from PIL import Image

from stelae import AsyncClient, Client, Encodings
from stelae.client import RetryPolicy
from stelae.engines.fake.engine import overlap, terms, token_vectors, vector
from stelae.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    EngineFailed,
    InputTooLong,
    InvalidInput,
    ModelNotFound,
    ServerUnreachable,
    Unauthorized,
    UnsupportedTask,
)
from stelae.types import ModelState

pytestmark = pytest.mark.asyncio(loop_scope="module")

Verb = Callable[..., Coroutine[Any, Any, Any]]
WIDTH = 384
OUTPUTS = ("dense", "sparse", "multivector")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(zoo: Path) -> AsyncIterator[str]:
    models = {
        "fake": {**FAKE, "aliases": ["org/fake"]},
        "tiny": {"source": str(zoo / "bert-mean"), "dtype": "float32"},
        "three": {"source": str(zoo / "bge-m3"), "dtype": "float32"},
        "pairs": {"source": str(zoo / "cross-encoder"), "dtype": "float32"},
        "labels": {"source": str(zoo / "cross-encoder-labels"), "dtype": "float32"},
        "pictures": {"source": str(zoo / "clip"), "dtype": "float32"},
    }
    async with live(models=models) as server:
        yield server.url


@pytest_asyncio.fixture(params=["async", "sync"], loop_scope="module")
async def verbs(url: str, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, Verb]]:
    """``encode`` and ``score`` of either client, awaitable."""
    if request.param == "async":
        async with AsyncClient(url, model="fake") as client:
            yield {"encode": client.encode, "score": client.score}
    else:
        with Client(url, model="fake") as blocking:
            yield {
                "encode": lambda *given, **more: asyncio.to_thread(blocking.encode, *given, **more),
                "score": lambda *given, **more: asyncio.to_thread(blocking.score, *given, **more),
            }


@pytest.fixture
def encode(verbs: dict[str, Verb]) -> Verb:
    return verbs["encode"]


@pytest.fixture
def score(verbs: dict[str, Verb]) -> Verb:
    return verbs["score"]


async def test_vectors_arrive_unchanged_and_in_order(encode: Verb) -> None:
    texts = [f"text number {n}" for n in range(700)]
    encodings: Encodings = await encode(texts)
    np.testing.assert_array_equal(encodings.dense, [vector(text, WIDTH) for text in texts])
    assert encodings.tokens.tolist() == [3] * 700
    assert (encodings.model, encodings.fingerprint) == ("fake", "fake")


async def test_half_precision_arrives_as_such(encode: Verb) -> None:
    half = await encode("a text", model="tiny", dtype="float16")
    full = await encode("a text", model="tiny")
    assert (half.dense.dtype, full.dense.dtype) == (np.float16, np.float32)
    np.testing.assert_array_equal(half.dense, full.dense.astype(np.float16))


async def test_terms_and_token_vectors_arrive_unchanged_and_in_order(encode: Verb) -> None:
    texts = [f"text number {n} " + "word " * (n % 7) for n in range(700)]
    encodings: Encodings = await encode(texts, outputs=("sparse", "multivector"))
    for text, sparse, rows in zip(texts, encodings.sparse, encodings.multivector, strict=True):
        assert dict(zip(sparse.indices, sparse.values, strict=True)) == terms(text)
        np.testing.assert_array_equal(rows, token_vectors(text))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "binary", "ubinary"])
async def test_small_dtypes_are_read_back(encode: Verb, dtype: str) -> None:
    texts = ["a text", "another one, somewhat longer"]
    full = await encode(texts, model="three", outputs=("dense", "multivector"))
    small = await encode(texts, model="three", outputs=("dense", "multivector"), dtype=dtype)
    assert small.dense.dtype.itemsize == small.multivector.values.dtype.itemsize == 1
    read = small.dequantized()
    assert read.dense.shape == full.dense.shape
    step = 0.02 if "int8" in dtype else 2.0
    for exact, back in (
        (full.dense, read.dense),
        (full.multivector.values, read.multivector.values),
    ):
        np.testing.assert_allclose(back, exact, atol=step * np.abs(exact).max())
        assert (np.sign(back) == np.sign(exact)).mean() > 0.95


async def test_one_run_gives_what_several_give(encode: Verb) -> None:
    together = await encode(["a text"], model="three", outputs=("dense", "sparse", "multivector"))
    apart = {name: await encode(["a text"], model="three", outputs=name) for name in OUTPUTS}
    np.testing.assert_allclose(together.dense, apart["dense"].dense, atol=1e-6)
    np.testing.assert_array_equal(together.sparse.indices, apart["sparse"].sparse.indices)
    np.testing.assert_allclose(together.sparse.values, apart["sparse"].sparse.values, atol=1e-6)
    np.testing.assert_allclose(
        together.multivector.values, apart["multivector"].multivector.values, atol=1e-6
    )


async def test_scores_arrive_unchanged_and_in_order(score: Verb) -> None:
    documents = [f"text number {n % 9} of {n}" for n in range(700)]
    scores = await score("number 3", documents)
    expected = np.float32([overlap("number 3", text) for text in documents])
    np.testing.assert_array_equal(scores.scores, expected)
    assert [row.index for row in scores.ranked(3)] == [3, 12, 21]


async def test_failed_documents_are_marked_and_spare_their_neighbours(score: Verb) -> None:
    scores = await score("b", ["a", "!bad", "b"] * 100, errors="return")
    assert sorted(scores.errors) == list(range(1, 300, 3))
    assert scores.scores[[0, 2]].tolist() == [0.0, 1.0]
    with pytest.raises(InvalidInput) as caught:
        await score("b", ["a"] * 200 + ["!bad"])
    assert caught.value.details["index"] == 200
    with pytest.raises(InvalidInput):
        await score("!bad", ["a"])


async def test_pairs_give_one_score_or_one_per_label(score: Verb) -> None:
    one = await score("a query", ["some text", "other words"], model="pairs")
    several = await score("a query", ["some text", "other words"], model="labels")
    assert one.scores.shape == (2,)
    assert several.scores.shape == (2, len(several.labels))
    assert {row.label for row in several} <= set(several.labels)


async def test_scores_may_be_compared_by_any_kind_that_the_model_makes(score: Verb) -> None:
    found = {by: await score("a text", ["a text", "b"], model="three", by=by) for by in OUTPUTS}
    assert all(scores.ranked()[0].index == 0 for scores in found.values())
    assert abs(found["dense"].scores[0] - 1.0) < 1e-5


async def test_pictures_arrive_in_every_form(encode: Verb, tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 50, 3), np.uint8))
    path = tmp_path / "picture.png"
    image.save(path)
    forms = [path, path.read_bytes(), image, np.asarray(image), {"image": path, "id": "cover"}]
    encodings = await encode([*forms, "a text"], model="pictures")
    assert encodings.ids[4] == "cover"
    for row in encodings.dense[1:5]:
        np.testing.assert_allclose(row, encodings.dense[0], atol=1e-6)
    one = await encode(path, model="pictures")
    np.testing.assert_allclose(one.dense, encodings.dense[0], atol=1e-6)


async def test_broken_picture_fails_alone(encode: Verb) -> None:
    good = np.zeros((8, 8, 3), np.uint8)
    bad = [b"", b"no picture", np.zeros((0, 3, 3), np.uint8), np.full((4, 4), np.nan)]
    encodings = await encode([good, *bad, good], model="pictures", errors="return")
    assert sorted(encodings.errors) == [1, 2, 3, 4]
    assert all(isinstance(error, InvalidInput) for error in encodings.errors.values())
    np.testing.assert_allclose(encodings.dense[0], encodings.dense[5], atol=1e-6)


@pytest.mark.parametrize(
    "text",
    ["", " \t\n", "nul\0byte", "\x1b[31m", "😀 \u202e", "x" * 10_000_000],
    ids=["empty", "white", "nul", "escape", "unicode", "10 MB"],
)
async def test_odd_text_arrives_whole(encode: Verb, text: str) -> None:
    words = " ".join(text.split()) or ""
    np.testing.assert_array_equal((await encode(text)).dense, vector(words, WIDTH))


@pytest.mark.slow
async def test_hundred_thousand_items_come_back_whole(encode: Verb) -> None:
    encodings = await encode(["a", "b c"] * 50_000)
    assert encodings.dense.shape == (100_000, WIDTH)
    assert encodings.usage.tokens == 150_000


async def test_failed_items_are_marked_and_spare_their_neighbours(encode: Verb) -> None:
    encodings = await encode(["a", "!bad", "b"] * 100, errors="return")
    assert sorted(encodings.errors) == list(range(1, 300, 3))
    np.testing.assert_array_equal(encodings.dense[299], vector("b", WIDTH))
    with pytest.raises(InvalidInput) as caught:
        await encode(["a"] * 200 + ["!bad"])
    assert caught.value.details["index"] == 200


async def test_failures_are_typed_and_name_the_request(encode: Verb) -> None:
    long = " ".join(["word"] * 300)
    for given, options, kind in (
        ("a", {"model": "fak"}, ModelNotFound),
        ("a", {"model": "tiny", "dimensions": 10_000}, InvalidInput),
        ("a", {"model": "tiny", "prompt_name": "none"}, InvalidInput),
        ("a", {"model": "tiny", "outputs": "sparse"}, UnsupportedTask),
        ("a", {"model": "pairs"}, UnsupportedTask),
        ("a", {"model": "tiny", "instruction": "find"}, InvalidInput),
        (b"a picture", {"model": "tiny"}, InvalidInput),
        ("!fail", {}, EngineFailed),
        (long, {"truncate": "error"}, InputTooLong),
    ):
        with pytest.raises(kind):
            await encode(given, **options)
    with pytest.raises(ModelNotFound, match="fake") as caught:
        await encode("a", model="fak")
    assert caught.value.details["request_id"]
    assert (await encode(long)).truncated


async def test_time_limit_is_kept_by_the_server_too(encode: Verb) -> None:
    with pytest.raises(DeadlineExceeded):
        await encode("!sleep 0.4", timeout=0.1)
    assert (await encode("afterwards")).tokens == 1


async def test_streams_work_in_both_kinds_of_client(url: str) -> None:
    texts = [f"text {n}" for n in range(500)]

    def blocking() -> list[float]:
        with Client(url, model="fake") as client:
            return [e.dense[0] for e in client.encode(iter(texts), batch_size=50)]

    async with AsyncClient(url, model="fake") as client:
        awaited = [e.dense[0] async for e in client.encode(iter(texts), batch_size=50)]
    wanted = [vector(text, WIDTH)[0] for text in texts]
    assert awaited == wanted
    assert await asyncio.to_thread(blocking) == wanted


async def test_models_are_loaded_and_unloaded_by_any_name(url: str) -> None:
    async with AsyncClient(url) as client:
        assert "fake" in [model.name for model in await client.models()]
        loaded = await client.load("org/fake", dtype="auto")
        assert (loaded.name, loaded.state, loaded.engine) == ("fake", ModelState.READY, "fake")
        assert (await client.unload("org/fake")).state is ModelState.AVAILABLE
        assert (await client.model("org/fake")).name == "fake"
        info = await client.server()
    assert url in info.listen
    assert info.limits


async def test_key_is_asked_for_and_taken() -> None:
    async with live(api_keys=["s3cret"]) as server:
        async with AsyncClient(server.url, model="fake") as stranger:
            with pytest.raises(Unauthorized):
                await stranger.encode("a")
        async with AsyncClient(server.url, model="fake", api_key="s3cret") as friend:
            assert (await friend.encode("a")).tokens == 1


async def test_body_over_the_limit_is_a_typed_refusal() -> None:
    limits = {"body_bytes": 100_000, "in_flight_bytes": 1_000_000}
    async with (
        live(limits=limits) as server,
        AsyncClient(server.url, model="fake") as client,
    ):
        with pytest.raises(BodyTooLarge):
            await client.encode("x" * 5_000_000)
        assert len(await client.encode(["x" * 1000] * 300, batch_size=50)) == 300


async def test_full_queue_slows_a_long_list_down_and_loses_nothing() -> None:
    quick = RetryPolicy(base=0.01, patience=0.02, reserve=1e6)
    texts = [f"text {n}" for n in range(400)]
    async with (
        live(limits={"queue_tokens": 20}) as server,
        AsyncClient(server.url, model="fake", max_in_flight=8, retries=quick) as client,
    ):
        encodings = await client.encode(texts, batch_size=5)
    np.testing.assert_array_equal(encodings.dense, [vector(text, WIDTH) for text in texts])


async def test_server_that_has_gone_is_named() -> None:
    async with live() as server:
        client = AsyncClient(server.url, model="fake", retries=RetryPolicy(base=0.0))
        await client.encode("a")
    async with client:
        with pytest.raises(ServerUnreachable, match=server.url):
            await client.encode("a")
