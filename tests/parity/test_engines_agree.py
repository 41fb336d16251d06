"""Both text engines answer a call alike: numbers, tokens, cuts and errors."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo as checkpoints
from fix_engine import answer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import encoder, sentence_transformers
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load as load_encoder
from stelae.engines.sentence_transformers.engine import load as load_library
from stelae.types import (
    ComputeDtype,
    EncodeCall,
    EncodeResult,
    Item,
    OutputType,
    Role,
    ScoreCall,
    ScoreResult,
    Truncate,
)

TEXTS = [
    "The King's stone tablets, ÄÖ zweimal Ünïcode 中文 Σίσυφος ΟΔΟΣ 1234 [SEP] hello\0world",
    "",
    "  \n\t ",
    "a long river " * 200,
    "İstanbul [MASK] ßẞ",
]
ITEMS = [
    *(Item(text=text) for text in TEXTS),
    Item(token_ids=[7, 8, 9]),
    Item(token_ids=[]),
    Item(text="half \ud800"),
    Item(token_ids=[10**7]),
    Item(),
]
CALLS: list[dict[str, Any]] = [
    {},
    {"truncate": Truncate.START},
    {"truncate": Truncate.ERROR},
    {"role": Role.QUERY},
    {"role": Role.DOCUMENT},
    {"prompt": "find: "},
    {"normalize": False},
    {"normalize": True},
]
SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]
TERMS = 1000
"""More than any vocabulary of the zoo has."""
OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)


@pytest.mark.parametrize("name", SOUND)
def test_engines_agree(zoo: Path, name: str) -> None:
    spec = Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)
    if (refusal := encoder.refuses(spec) or sentence_transformers.refuses(spec)) is not None:
        pytest.skip(refusal)
    one, other = load_encoder(spec, OPTIONS), load_library(spec, OPTIONS)
    assert one.info.fingerprint == other.info.fingerprint
    calls: list[Any] = [
        EncodeCall(model=name, items=ITEMS, outputs=(output,), **options)
        for output in spec.outputs
        for options in CALLS
        if output is OutputType.DENSE or "normalize" not in options
    ]
    query = Item(text="the king of stone")
    calls += [
        ScoreCall(model=name, query=query, documents=ITEMS, truncate=truncate)
        for truncate in Truncate
    ]
    for call in calls:
        mine, theirs = answer(one, call), answer(other, call)
        for ours, expected in zip(_numbers(mine), _numbers(theirs), strict=True):
            assert_near(ours, expected)
        np.testing.assert_array_equal(mine.tokens, theirs.tokens)
        np.testing.assert_array_equal(mine.truncated, theirs.truncated)
        assert _codes(mine) == _codes(theirs)


def assert_near(ours: Any, expected: Any) -> None:
    scale = max(1.0, float(np.nan_to_num(np.abs(expected)).max(initial=0)))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * scale)


def _numbers(result: Any) -> list[Any]:
    """The column of a result, item by item; sparse ones with all terms that are not tiny."""
    if isinstance(result, ScoreResult):
        return list(result.scores)
    if result.sparse is None:
        return list(result.dense if result.dense is not None else result.multivector)
    rows = []
    for start, stop in pairwise(result.sparse.offsets):
        row = np.zeros(TERMS)
        row[result.sparse.indices[start:stop]] = result.sparse.values[start:stop]
        rows.append(row)
    return rows


def _codes(result: EncodeResult | ScoreResult) -> dict[int, str]:
    return {index: error.code for index, error in result.errors.items()}
