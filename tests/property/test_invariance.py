"""A text's numbers do not depend on its neighbours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo as checkpoints
from fix_engine import answer
from hypothesis import given, settings
from hypothesis import strategies as st

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines import encoder
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.text.engine import TextEngine
from stelae.types import ComputeDtype, EncodeCall, Item, Modality

SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]
WORDS = [
    "a",
    "the",
    "river",
    "stone",
    "king",
    "music",
    "of",
    "and",
    "12.5%",
    "data-base;",
    "naïve",
    "東京",
    "...!?",
]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join)
company = st.lists(texts, max_size=20)


@cache
def spec_of(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")


@cache
def engine_of(folder: Path, *, deterministic: bool = False) -> TextEngine:
    options = EngineOptions(
        dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, deterministic=deterministic
    )
    return load(spec_of(folder), options)


def rows_of(engine: TextEngine, asked: list[str]) -> list[np.ndarray[Any, Any]]:
    """What each text gave, all its outputs as one row of numbers; text by text."""
    items = [Item(text=text) for text in asked]
    result = answer(engine, EncodeCall(model="m", items=items, outputs=engine.spec.outputs))
    assert result.errors == {}
    rows = []
    for index in range(len(asked)):
        parts = []
        if result.dense is not None:
            parts.append(result.dense[index])
        if result.sparse is not None:
            span = slice(*result.sparse.offsets[index : index + 2])
            row = np.zeros(300_000, np.float32)
            row[result.sparse.indices[span]] = result.sparse.values[span]
            parts.append(row)
        if result.multivector is not None:
            span = slice(*result.multivector.offsets[index : index + 2])
            parts.append(result.multivector.values[span].ravel())
        rows.append(np.concatenate(parts))
    return rows


@pytest.mark.parametrize("name", SOUND)
def test_neighbours_change_nothing(zoo: Path, name: str) -> None:
    spec = spec_of(zoo / name)
    if not spec.outputs or Modality.TEXT not in spec.inputs:
        pytest.skip("it makes no representations of texts")
    if (refusal := encoder.refuses(spec)) is not None:
        pytest.skip(refusal)
    engine = engine_of(zoo / name)

    @settings(max_examples=15)
    @given(text=texts, before=company, after=company)
    def check(text: str, before: list[str], after: list[str]) -> None:
        alone = rows_of(engine, [text])[0]
        together = rows_of(engine, [*before, text, *after])[len(before)]
        scale = max(1.0, float(np.abs(alone).max(initial=0.0)))
        np.testing.assert_allclose(together, alone, atol=1e-6 * scale, rtol=0)

    check()


@pytest.mark.parametrize("name", ["bert-cls", "bert-long"])
def test_deterministic_model_gives_the_same_bits_in_any_company(zoo: Path, name: str) -> None:
    engine = engine_of(zoo / name, deterministic=True)
    rng = np.random.default_rng(4)
    asked = [" ".join(rng.choice(WORDS, rng.integers(1, 60))) for _ in range(64)]
    alone = [rows_of(engine, [text])[0] for text in asked]
    for count in range(2, 65):
        together = rows_of(engine, asked[:count])
        np.testing.assert_array_equal(together, alone[:count])
