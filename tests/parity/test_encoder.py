"""The encoder engine against sentence-transformers on the real embedded model."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from stelae.catalog.catalog import Catalog
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.engine import load
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, EncodeResult, Item, Truncate

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "Zürich",
    "naïve",
    "東京",
    "emoji",
    "🚀",
    "data-base;",
    "numbers",
    "12.5%",
    "e.g.",
    "internationalization",
    "don't",
    "...!?",
    "кириллица",
    "العربية",
    "हिन्दी",
]

ODD = [
    "",
    " ",
    "\n\t ",
    "a",
    "\x00 nul",
    "ab" * 300,
    "…",
    "e\u0301 combining",
    "[SEP] [CLS] [MASK]",
]


def sample(count: int) -> list[str]:
    rng = random.Random(11)
    lengths = [min(400, int(rng.lognormvariate(3, 1.2)) + 1) for _ in range(count)]
    return [" ".join(rng.choices(WORDS, k=length)) for length in lengths] + ODD


TEXTS = sample(80)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return Catalog().spec("default")


@pytest.fixture(scope="module")
def reference(spec: ModelSpec) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = SentenceTransformer(spec.folder, device="cpu").encode(TEXTS)
    return vectors


@pytest.fixture(scope="module")
def exact(spec: ModelSpec) -> Iterator[Runner]:
    runner = Runner(load(spec, EngineOptions(dtype=ComputeDtype.FLOAT32)))
    yield runner
    runner.close()


def encode(runner: Runner, texts: list[str], **options: Any) -> EncodeResult:
    call = EncodeCall(model="m", items=[Item(text=text) for text in texts], **options)
    result: EncodeResult = runner.submit(call).result()
    assert result.errors == {}
    return result


def dense(result: EncodeResult) -> NDArray[np.float32]:
    assert result.dense is not None
    return result.dense


def test_fp32_vectors_equal_the_reference(exact: Runner, reference: NDArray[np.float32]) -> None:
    vectors = dense(encode(exact, TEXTS))
    assert np.abs(vectors - reference).max() <= 2e-6
    assert (vectors * reference).sum(axis=1).min() >= 0.999999


def test_bf16_vectors_stay_close_to_the_reference(
    spec: ModelSpec, reference: NDArray[np.float32]
) -> None:
    runner = Runner(load(spec, EngineOptions(dtype=ComputeDtype.BFLOAT16)))
    vectors = dense(encode(runner, TEXTS))
    runner.close()
    assert (vectors * reference).sum(axis=1).min() >= 0.9995


def test_a_text_has_the_same_vector_alone_and_in_any_company(exact: Runner) -> None:
    together = dense(encode(exact, TEXTS))
    shuffled = random.Random(3).sample(range(len(TEXTS)), len(TEXTS))
    elsewhere = dense(encode(exact, [TEXTS[i] for i in shuffled]))
    assert np.abs(together[shuffled] - elsewhere).max() <= 1e-6
    for index in range(0, len(TEXTS), 5):
        alone = dense(encode(exact, [TEXTS[index]]))[0]
        assert np.abs(alone - together[index]).max() <= 1e-6


def test_long_texts_are_marked_and_counted_as_run(exact: Runner) -> None:
    result = encode(exact, ["word " * 1000, "short text"])
    assert result.truncated.tolist() == [True, False]
    assert result.tokens.tolist() == [256, 4]
    assert result.usage.tokens == 260


@pytest.mark.parametrize("letters", [30, 4000, 200_000])
def test_end_and_start_keep_the_part_they_promise(exact: Runner, letters: int) -> None:
    """A long text cut at its end or start equals the text of just the kept words."""
    first, last = "alpha beta " * 150, " gamma delta" * 150
    text = first + "middle words " * (letters // 10) + last
    kept_end = dense(encode(exact, [text], truncate=Truncate.END))[0]
    kept_start = dense(encode(exact, [text], truncate=Truncate.START))[0]
    head, tail = "alpha beta " * 127, "gamma delta " * 127
    expected = dense(encode(exact, [head, tail]))
    assert np.abs(kept_end - expected[0]).max() <= 1e-6
    assert np.abs(kept_start - expected[1]).max() <= 1e-6


def test_token_ids_give_the_vector_of_their_text(spec: ModelSpec, exact: Runner) -> None:
    text = "Vectors are numbers."
    model = SentenceTransformer(spec.folder, device="cpu")
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    call = EncodeCall(model="m", items=[Item(token_ids=ids), Item(text=text)])
    rows = exact.submit(call).result().dense
    assert np.abs(rows[0] - rows[1]).max() == 0
