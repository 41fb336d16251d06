"""A trained model of pictures and captions finds the right ones, through the whole engine.

Its weights are made by ``tools/tiny/train/clip_shapes.py``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny.shapes import KINDS, Kind, caption, draw

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item, ScoreCall

FOLDER = Path(__file__).parents[1] / "data" / "clip-shapes"

SEED = 77
"""Other pictures than those of the training."""


@pytest.fixture(scope="module", params=[ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    spec = Catalog([ModelEntry(name="shapes", source=str(FOLDER))]).spec("shapes")
    options = EngineOptions(dtype=request.param, device=Device.CPU, threads=1)
    runner = Runner(registry.load(registry.choose(spec).manifest, spec, options))
    yield runner
    runner.close()


def photo(kind: Kind, rng: random.Random) -> Item:
    file = BytesIO()
    draw(kind, rng).save(file, "JPEG", quality=90)
    return Item(image=file.getvalue())


def vectors(runner: Runner, items: list[Item]) -> NDArray[np.float32]:
    call = EncodeCall(model="shapes", items=items, normalize=True)
    result = runner.submit(call).result(60)
    assert result.errors == {}
    found: NDArray[np.float32] = result.dense
    return found


def test_every_picture_is_nearest_to_its_own_caption(runner: Runner) -> None:
    rng = random.Random(SEED)
    captions = vectors(runner, [Item(text=caption(kind)) for kind in KINDS])
    pictures = vectors(runner, [photo(kind, rng) for kind in KINDS for _ in range(4)])
    best = (pictures @ captions.T).argmax(axis=1)
    right = best == np.arange(len(KINDS)).repeat(4)
    assert right.mean() >= 0.97


def test_a_caption_ranks_the_pictures(runner: Runner) -> None:
    rng = random.Random(SEED + 1)
    shown = [("green", "square"), ("red", "circle"), ("blue", "cross"), ("red", "triangle")]
    documents = [photo(kind, rng) for kind in shown]
    query = Item(text="a photo of a red circle")
    call = ScoreCall(model="shapes", query=query, documents=documents)
    scores = runner.submit(call).result(60).scores
    assert int(scores.argmax()) == 1
    assert scores[3] > scores[2]  # the other red one before a blue one
