"""The real, unmodified ``openai`` client against a live port."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import pytest_asyncio
from live import FAKE, live
from numpy.typing import NDArray
from openai import AsyncOpenAI, OpenAI
from tokenizers import Tokenizer

from stelae.engines.fake.engine import vector

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "tiny"
CHECKPOINT = "bert-matryoshka"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(zoo: Path) -> AsyncIterator[str]:
    """A server with a small real checkpoint and the fake model."""
    models = {
        MODEL: {"source": str(zoo / CHECKPOINT), "dtype": "float32", "matryoshka": [8, 16]},
        "plain": {"source": str(zoo / "bert-mean"), "dtype": "float32"},
        "fake": {**FAKE, "aliases": ["org/fake"]},
    }
    async with live(models=models) as server:
        yield server.url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


def rows(answer: openai.types.CreateEmbeddingResponse) -> NDArray[np.float32]:
    return np.array([item.embedding for item in answer.data], np.float32)


def tokenizer_of(zoo: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(zoo / CHECKPOINT / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.mark.timeout(180)  # the client takes most of it
async def test_usage_of_a_thousand_calls_at_once_is_the_tokens_that_were_sent(
    zoo: Path, url: str
) -> None:
    texts = [
        " ".join(["ferry", "leaves", "at", "seven"] * (i % 4 + 1)) + str(i) for i in range(1000)
    ]
    sent = sum(len(e.ids) for e in tokenizer_of(zoo).encode_batch(texts))
    async with contextlib.AsyncExitStack() as stack:
        clients = [  # several: the time that one takes to find a connection grows with their number
            await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
            for _ in range(20)
        ]
        answers = await asyncio.gather(
            *(
                clients[i % len(clients)].post(
                    "/v1/embeddings", json={"model": MODEL, "input": text}
                )
                for i, text in enumerate(texts)
            )
        )
    assert sum(a.json()["usage"]["total_tokens"] for a in answers) == sent


async def test_one_text_gives_one_vector(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="fake", input="hello")
    assert (answer.object, answer.model) == ("list", "fake")
    assert [item.index for item in answer.data] == [0]
    # The fake model hands out the embedded model's width.
    np.testing.assert_array_equal(rows(answer), [vector("hello", 384)])


async def test_texts_come_back_in_order(client: AsyncOpenAI) -> None:
    texts = [f"text number {n}" for n in range(50)]
    answer = await client.embeddings.create(model="fake", input=texts)
    assert [item.index for item in answer.data] == list(range(50))
    np.testing.assert_array_equal(rows(answer), [vector(text, 384) for text in texts])


async def test_client_asks_for_base64_and_floats_are_the_same_numbers(url: str) -> None:
    asked: list[dict[str, object]] = []

    async def note(request: httpx.Request) -> None:
        asked.append(json.loads(request.content))

    # Quirk: openai 3.52 moved to a transport of its own; plain httpx shows what is on the wire.
    async with httpx.AsyncClient(base_url=url, event_hooks={"request": [note]}) as http:
        body = {"model": "fake", "input": ["hello"], "encoding_format": "base64"}
        coded = (await http.post("/v1/embeddings", json=body)).json()
        plain = (await http.post("/v1/embeddings", json=body | {"encoding_format": "float"})).json()
    decoded = np.frombuffer(base64.b64decode(coded["data"][0]["embedding"]), "<f4")
    np.testing.assert_array_equal(decoded, np.array(plain["data"][0]["embedding"], np.float32))
    np.testing.assert_array_equal(decoded, vector("hello", 384))


async def test_explicit_float_format_is_honoured(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="fake", input="hello", encoding_format="float")
    np.testing.assert_array_equal(rows(answer), [vector("hello", 384)])


async def test_token_ids_mean_the_same_as_the_text(client: AsyncOpenAI, zoo: Path) -> None:
    tokenizer = tokenizer_of(zoo)
    texts = ["hello world", "a longer text about nothing"]
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    from_texts = await client.embeddings.create(model=MODEL, input=texts)
    from_ids = await client.embeddings.create(model=MODEL, input=ids)
    alone = await client.embeddings.create(model=MODEL, input=ids[0])
    np.testing.assert_allclose(rows(from_ids), rows(from_texts), atol=1e-6)
    np.testing.assert_allclose(rows(alone), rows(from_texts)[:1], atol=1e-6)
    assert from_ids.usage == from_texts.usage


async def test_usage_counts_the_tokens_that_were_run(client: AsyncOpenAI, zoo: Path) -> None:
    tokenizer = tokenizer_of(zoo)
    texts = ["hello world", "hello"]
    answer = await client.embeddings.create(model=MODEL, input=texts)
    expected = sum(len(tokenizer.encode(text).ids) for text in texts)
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (expected, expected)


async def test_dimensions_cut_and_normalise_where_the_model_was_trained_for_it(
    client: AsyncOpenAI,
) -> None:
    whole = rows(await client.embeddings.create(model=MODEL, input="hello"))
    cut = rows(await client.embeddings.create(model=MODEL, input="hello", dimensions=8))
    expected = whole[:, :8] / np.linalg.norm(whole[:, :8])
    np.testing.assert_allclose(cut, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "dimensions"), [("plain", 8), (MODEL, 0), (MODEL, -1), (MODEL, 10**9)]
)
async def test_other_dimensions_are_a_bad_request(
    client: AsyncOpenAI, model: str, dimensions: int
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.embeddings.create(model=model, input="hello", dimensions=dimensions)
    assert caught.value.param == "dimensions"
    assert str(dimensions) in caught.value.message


async def test_unknown_model_is_not_found_and_names_the_nearest(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.embeddings.create(model="fakee", input="hello")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "did you mean 'fake'" in caught.value.message


async def test_bad_item_is_a_bad_request_that_names_it(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.embeddings.create(model="fake", input=["good", "!bad", "good"])
    assert caught.value.param == "input[1]"
    assert "input[1]: " in caught.value.message


async def test_empty_list_is_a_bad_request(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.embeddings.create(model="fake", input=[])
    assert caught.value.param == "input"


async def test_empty_text_is_a_vector(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model=MODEL, input=["", "  "])
    assert rows(answer).shape == (2, 64)
    assert np.isfinite(rows(answer)).all()
    assert answer.usage.prompt_tokens == 4  # the two special tokens of each


async def test_cut_text_is_marked_and_counted(client: AsyncOpenAI) -> None:
    long = "word " * 1000
    raw = await client.embeddings.with_raw_response.create(model="fake", input=["short", long])
    answer = raw.parse()
    assert [getattr(item, "truncated", False) for item in answer.data] == [False, True]
    assert raw.headers["x-stelae-truncated"] == "1"


async def test_cutting_can_be_refused(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.embeddings.create(
            model="fake", input=["short", "word " * 1000], extra_body={"truncate": "error"}
        )
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input[1]")


async def test_unknown_fields_and_nulls_are_let_pass(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(
        model="fake", input="hello", user="somebody", extra_body={"dimensions": None, "other": {}}
    )
    assert len(answer.data) == 1


async def test_every_answer_tells_what_ran_and_how_long(client: AsyncOpenAI) -> None:
    raw = await client.embeddings.with_raw_response.create(model=MODEL, input="hello")
    assert len(raw.headers["x-stelae-fingerprint"]) == 32
    stages = [part.strip().partition(";")[0] for part in raw.headers["server-timing"].split(",")]
    assert stages == ["prepare", "queue", "run", "finish", "total"]
    assert raw.headers["x-request-id"]


async def test_models_are_listed(client: AsyncOpenAI) -> None:
    found = {model.id: model async for model in client.models.list()}
    assert {MODEL, "plain", "fake", "all-MiniLM-L6-v2"} == found.keys()
    assert (found["fake"].object, found["fake"].owned_by) == ("model", "stelae")
    assert found["fake"].created > 1_700_000_000


async def test_model_is_described_with_what_stelae_knows(client: AsyncOpenAI) -> None:
    await client.embeddings.create(model=MODEL, input="hello")
    model = await client.models.retrieve(MODEL)
    extra = model.model_extra or {}
    assert model.id == MODEL
    assert (extra["dimensions"], extra["state"], extra["dtype"]) == (64, "ready", "float32")
    assert len(extra["fingerprint"]) == 32


async def test_model_name_with_a_slash_is_reached(client: AsyncOpenAI) -> None:
    assert (await client.models.retrieve("org/fake")).id == "fake"
    answer = await client.embeddings.create(model="org/fake", input="hello")
    assert len(answer.data) == 1


async def test_unknown_model_cannot_be_described(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("no/such")


async def test_sync_client_works_as_well(url: str) -> None:
    def use() -> list[list[float]]:
        with OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            assert [model.id for model in client.models.list()]
            answer = client.embeddings.create(model="fake", input=["hello", "world"])
            with pytest.raises(openai.NotFoundError):
                client.embeddings.create(model="none", input="hello")
            return [item.embedding for item in answer.data]

    found = await asyncio.to_thread(use)
    np.testing.assert_array_equal(
        np.array(found, np.float32), [vector("hello", 384), vector("world", 384)]
    )


async def test_many_requests_at_once_get_their_own_answers(client: AsyncOpenAI) -> None:
    async def one(number: int) -> None:
        answer = await client.embeddings.create(model="fake", input=f"text {number}")
        np.testing.assert_array_equal(rows(answer), [vector(f"text {number}", 384)])

    await asyncio.gather(*(one(number) for number in range(64)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locked() -> AsyncIterator[str]:
    async with live(api_keys=["right"]) as server:
        yield server.url


async def test_wrong_key_is_an_authentication_error(locked: str) -> None:
    async with AsyncOpenAI(base_url=f"{locked}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.embeddings.create(model="fake", input="hello")


async def test_right_key_is_let_in(locked: str) -> None:
    async with AsyncOpenAI(base_url=f"{locked}/v1", api_key="right", max_retries=0) as client:
        assert (await client.embeddings.create(model="fake", input="hello")).data
