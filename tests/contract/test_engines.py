"""What every batch engine promises, whatever computes behind it.

A new engine joins by a line in ``ENGINES``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import InputTooLong, InvalidInput, ShuttingDown, from_info
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner
from stelae.types import (
    ComputeDtype,
    EncodeCall,
    EncodeResult,
    Item,
    OutputType,
    Task,
    Truncate,
)

ENGINES = {
    "encoder": "bert-cls",
    "sentence_transformers": "bert-cls",
    "fake": "bert-cls",
    "transformers": "colqwen2",
    "clap": "clap",
}
"""Each engine with a checkpoint of the zoo that it serves."""
OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
WAIT = 20.0
TEXTS = [f"stone tablet number {i} " + "river " * (i % 13) for i in range(150)]


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest, zoo: Path) -> AnyEngine:
    entry = ModelEntry(name="tiny", source=str(zoo / ENGINES[request.param]), engine=request.param)
    spec = Catalog([entry]).spec("tiny")
    return registry.load(registry.choose(spec, request.param).manifest, spec, OPTIONS)


@pytest.fixture
def runner(engine: AnyEngine) -> Iterator[Runner]:
    runner = Runner(engine, Limits(batch_tokens=64))
    yield runner
    assert runner.drain(WAIT)


def encode(runner: Runner, texts: list[str], truncate: Truncate = Truncate.END) -> EncodeResult:
    items = [Item(text=text) for text in texts]
    result: EncodeResult = runner.submit(ask(runner.engine, items, truncate)).result(WAIT)
    return result


def ask(engine: AnyEngine, items: list[Item], truncate: Truncate = Truncate.END) -> EncodeCall:
    """A call for what the engine makes."""
    spec = getattr(engine, "spec", None)
    outputs = (OutputType.DENSE,) if spec is None else spec.outputs
    return EncodeCall(model="tiny", items=items, outputs=outputs, truncate=truncate)


def vectors(result: EncodeResult) -> NDArray[np.float32]:
    """A vector of each item: of several, the first."""
    assert result.errors == {}
    return rows(result)


def rows(result: EncodeResult) -> NDArray[np.float32]:
    """As ``vectors``; of a failed item, NaN."""
    if result.dense is not None:
        return result.dense
    assert result.multivector is not None
    values, offsets = result.multivector.values, result.multivector.offsets
    found = np.full((len(offsets) - 1, values.shape[1]), np.nan, np.float32)
    whole = np.diff(offsets) > 0
    found[whole] = values[offsets[:-1][whole]]
    return found


def test_one_row_per_item_in_the_order_given(runner: Runner) -> None:
    order = random.Random(2).sample(range(len(TEXTS)), len(TEXTS))
    straight = vectors(encode(runner, TEXTS))
    shuffled = vectors(encode(runner, [TEXTS[i] for i in order]))
    assert straight.shape[0] == len(TEXTS)
    np.testing.assert_allclose(shuffled, straight[order], atol=1e-6)


def test_the_same_call_gives_the_same_numbers(runner: Runner) -> None:
    once, again = vectors(encode(runner, TEXTS[:40])), vectors(encode(runner, TEXTS[:40]))
    np.testing.assert_array_equal(once, again)


def test_company_changes_nothing(runner: Runner) -> None:
    together = vectors(encode(runner, TEXTS))
    for index in range(0, len(TEXTS), 30):
        alone = vectors(encode(runner, [TEXTS[index]]))
        np.testing.assert_allclose(alone[0], together[index], atol=1e-6)


def test_vectors_have_the_length_the_model_says(runner: Runner) -> None:
    np.testing.assert_allclose(
        np.linalg.norm(vectors(encode(runner, TEXTS[:5])), axis=1), 1.0, atol=1e-5
    )


def test_empty_text_has_a_vector(runner: Runner) -> None:
    assert np.isfinite(vectors(encode(runner, ["", " ", "\n"]))).all()


def test_wrong_item_fails_alone(runner: Runner) -> None:
    items = [Item(text="first"), Item(), Item(text="last")]
    result = runner.submit(ask(runner.engine, items)).result(WAIT)
    assert list(result.errors) == [1]
    assert isinstance(from_info(result.errors[1]), InvalidInput)
    expected = vectors(encode(runner, ["first", "last"]))
    np.testing.assert_allclose(rows(result)[[0, 2]], expected, atol=1e-6)
    assert np.isnan(rows(result)[1]).all()


def test_cut_text_is_marked_and_counted_as_run(runner: Runner) -> None:
    result = encode(runner, ["word " * 3000, "short"])
    assert result.truncated.tolist() == [True, False]
    assert result.usage.tokens == result.tokens.sum()
    assert result.tokens[0] > result.tokens[1] > 0


def test_too_long_text_is_refused_when_asked_to_be(runner: Runner) -> None:
    result = encode(runner, ["word " * 3000, "short"], Truncate.ERROR)
    assert list(result.errors) == [0]
    assert isinstance(from_info(result.errors[0]), InputTooLong)


def test_estimate_grows_with_the_text_and_counts_every_item(engine: AnyEngine) -> None:
    def estimate(*texts: str) -> int:
        call = ask(engine, [Item(text=t) for t in texts])
        return int(engine.open(call).estimate)

    assert 0 < estimate("") < estimate("several words here") < estimate("word " * 100)
    assert estimate("one", "two") == estimate("one") + estimate("two")


def test_cancelled_call_is_forgotten(runner: Runner) -> None:
    calls = [
        runner.submit(ask(runner.engine, [Item(text=text) for text in TEXTS])) for _ in range(20)
    ]
    left = [call for call in calls if call.cancel()]
    assert all(call.cancelled() for call in left)
    assert runner.drain(WAIT)
    assert runner.depth.tokens == 0


@pytest.mark.parametrize("name", ENGINES)
def test_closed_engine_takes_nothing_more(zoo: Path, name: str) -> None:
    entry = ModelEntry(name="tiny", source=str(zoo / ENGINES[name]), engine=name)
    spec = Catalog([entry]).spec("tiny")
    runner = Runner(registry.load(registry.choose(spec, name).manifest, spec, OPTIONS))
    runner.close()
    refused = runner.submit(ask(runner.engine, [Item(text="late")]))
    assert isinstance(refused.exception(WAIT), ShuttingDown)


def test_every_built_in_engine_is_held_to_this() -> None:
    able = {name for name, card in registry.manifests().items() if Task.ENCODE in card.tasks}
    assert set(ENGINES) == able - {"null"}  # which computes nothing that could be held to anything
