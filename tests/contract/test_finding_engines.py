"""What every engine that finds things promises, whatever looks for them.

A new engine joins by a line in ``ENGINES``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import to_builtins

from stelae.catalog.abilities import Finding
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import InvalidInput, ShuttingDown, from_info
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, ExtractCall, Extraction, ExtractResult, Item, Modality, Task

ENGINES = {
    "encoder": "cross-encoder-labels",
    "sentence_transformers": "cross-encoder-labels",
    "gliner": "gliner-span",
    "gliclass": "gliclass",
    "detection": "detr",
    "documents": "donut",
    "fake": "bert-cls",
}
"""Each engine with a checkpoint of the zoo in which it finds things."""

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
WAIT = 30.0
COUNT = 90
TEXTS = [f"Anna wrote tablet {i} in Ur. " + "Stone by the river. " * (i % 13) for i in range(COUNT)]
LABELS = ("person", "place", "good thing")


def load(zoo: Path, name: str) -> AnyEngine:
    entry = ModelEntry(name="tiny", source=str(zoo / ENGINES[name]), engine=name)
    spec = Catalog([entry]).spec("tiny")
    return registry.load(registry.choose(spec, name).manifest, spec, OPTIONS)


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest, zoo: Path) -> AnyEngine:
    return load(zoo, request.param)


@pytest.fixture
def runner(engine: AnyEngine) -> Iterator[Runner]:
    runner = Runner(engine, Limits(batch_tokens=256))
    yield runner
    assert runner.drain(WAIT)


def item_of(engine: AnyEngine, index: int) -> Item:
    spec = getattr(engine, "spec", None)
    if spec is None or Modality.TEXT in spec.inputs:
        return Item(text=TEXTS[index])
    shape = (24 + index % 7, 32, 3)
    pixels = np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)
    return Item(pixels=pixels)


def ask(engine: AnyEngine, items: list[Item]) -> ExtractCall:
    spec = getattr(engine, "spec", None)
    finder = None if spec is None else spec.extraction
    if finder is not None and Finding.DATA in finder.finds:
        return ExtractCall(model="tiny", items=items, max_new_tokens=8)
    labels = () if finder is not None and finder.labels else LABELS
    return ExtractCall(model="tiny", items=items, labels=labels, threshold=0.3)


def extract(runner: Runner, *indices: int) -> list[Extraction]:
    items = [item_of(runner.engine, i) for i in indices]
    result: ExtractResult = runner.submit(ask(runner.engine, items)).result(WAIT)
    assert result.errors == {}
    return list(result.items)


def plain(found: Extraction) -> list[Any]:
    """Everything but its numbers, and these, so that they may differ a little."""
    flat: list[Any] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                flat.append(key)
                walk(value[key])
        elif isinstance(value, list | tuple):
            for inner in value:
                walk(inner)
        else:
            flat.append(pytest.approx(value, abs=1e-4) if isinstance(value, float) else value)

    walk(to_builtins(found))
    return flat


def same(one: Extraction, other: Extraction) -> bool:
    return plain(one) == plain(other)


def test_one_row_per_item_in_the_order_given(runner: Runner) -> None:
    order = random.Random(2).sample(range(COUNT), COUNT)
    straight, shuffled = extract(runner, *range(COUNT)), extract(runner, *order)
    assert len(straight) == COUNT
    assert any(found != Extraction() for found in straight)
    assert all(same(shuffled[place], straight[i]) for place, i in enumerate(order))


def test_company_changes_nothing(runner: Runner) -> None:
    together = extract(runner, *range(COUNT))
    for index in range(0, COUNT, 30):
        (alone,) = extract(runner, index)
        assert same(alone, together[index])


def test_wrong_item_fails_alone(runner: Runner) -> None:
    items = [item_of(runner.engine, 0), Item(), item_of(runner.engine, 1)]
    result = runner.submit(ask(runner.engine, items)).result(WAIT)
    assert list(result.errors) == [1]
    assert isinstance(from_info(result.errors[1]), InvalidInput)
    first, last = extract(runner, 0, 1)
    assert same(result.items[0], first)
    assert same(result.items[2], last)
    assert result.items[1] == Extraction()


def test_tokens_that_ran_are_counted(runner: Runner) -> None:
    items = [item_of(runner.engine, i) for i in range(5)]
    result = runner.submit(ask(runner.engine, items)).result(WAIT)
    assert result.usage.tokens == result.tokens.sum()
    assert (result.tokens > 0).all()


def test_estimate_counts_every_item(engine: AnyEngine) -> None:
    def estimate(*indices: int) -> int:
        return int(engine.open(ask(engine, [item_of(engine, i) for i in indices])).estimate)

    assert 0 < estimate(0) <= estimate(12)
    assert estimate(3, 4) == estimate(3) + estimate(4)


def test_cancelled_call_is_forgotten(runner: Runner) -> None:
    items = [item_of(runner.engine, i) for i in range(COUNT)]
    calls = [runner.submit(ask(runner.engine, items)) for _ in range(5)]
    left = [call for call in calls if call.cancel()]
    assert all(call.cancelled() for call in left)
    assert runner.drain(WAIT)
    assert runner.depth.tokens == 0


@pytest.mark.parametrize("name", ENGINES)
def test_closed_engine_takes_nothing_more(zoo: Path, name: str) -> None:
    runner = Runner(load(zoo, name))
    runner.close()
    refused = runner.submit(ask(runner.engine, [item_of(runner.engine, 0)]))
    assert isinstance(refused.exception(WAIT), ShuttingDown)


def test_every_built_in_engine_is_held_to_this() -> None:
    able = {name for name, card in registry.manifests().items() if Task.EXTRACT in card.tasks}
    assert set(ENGINES) == able
