from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fix_replicas import deployment
from msgspec.structs import replace

from stelae.catalog.abilities import Classify, Extractor, Finding
from stelae.catalog.operations import SparsePool
from stelae.catalog.spec import Chain
from stelae.cluster.canary import TEXT, canary_call, judge
from stelae.cluster.deployment import Deployment
from stelae.errors import EngineFailed, OutOfMemory
from stelae.types import (
    EncodeCall,
    EncodeResult,
    ExtractCall,
    Extraction,
    ExtractResult,
    Item,
    Modality,
    OutputType,
    Ragged,
    Role,
    ScoreCall,
    ScoreResult,
    Sparse,
)

ONE = {"tokens": np.ones(1, np.int32), "truncated": np.zeros(1, np.bool_)}


def encoded(dense: Any = None, **more: Any) -> EncodeResult:
    return EncodeResult(model="m", fingerprint="f", dense=dense, **ONE, **more)


def scored(*scores: float, **more: Any) -> ScoreResult:
    return ScoreResult(
        model="m", fingerprint="f", scores=np.array(scores, np.float32), **ONE, **more
    )


def terms(*weights: float) -> Sparse:
    size = len(weights)
    return Sparse(
        indices=np.arange(size, dtype=np.int32),
        values=np.array(weights, np.float32),
        offsets=np.array([0, size]),
    )


def vectors(rows: list[list[float]]) -> Ragged:
    return Ragged(values=np.array(rows, np.float32), offsets=np.array([0, len(rows)]))


def deployed(**facts: Any) -> Deployment:
    """The model of the tests with other facts in its spec."""
    plain = deployment()
    return replace(plain, spec=replace(plain.spec, **facts))


def test_it_is_one_short_text_of_the_model() -> None:
    call = canary_call(deployment())
    assert isinstance(call, EncodeCall)
    assert call.model == "fake"
    assert [type(item.text) for item in call.items] == [str]


def test_model_that_reads_no_text_is_shown_a_picture() -> None:
    call = canary_call(deployed(inputs=(Modality.IMAGE,)))
    assert isinstance(call, EncodeCall)
    pixels = call.items[0].pixels
    assert call.items[0].text is None
    assert pixels is not None
    assert (pixels.dtype, pixels.shape[2]) == (np.uint8, 3)


def test_everything_that_the_model_makes_is_asked_for() -> None:
    terms = Chain(output=OutputType.SPARSE, steps=(SparsePool(),), role=Role.DOCUMENT)
    call = canary_call(deployed(chains=(*deployment().spec.chains, terms)))
    assert isinstance(call, EncodeCall)
    assert call.outputs == (OutputType.DENSE, OutputType.SPARSE)


def test_model_that_only_scores_is_asked_for_a_score() -> None:
    call = canary_call(deployed(chains=(), scoring=Classify(labels=("fits",))))
    assert call == ScoreCall(model="fake", query=Item(text=TEXT), documents=[Item(text=TEXT)])


@pytest.mark.parametrize(
    "answer",
    [
        encoded(np.ones((1, 3), np.float32)),
        encoded(sparse=terms(0.5, 2.0)),
        encoded(sparse=terms()),
        encoded(multivector=vectors([[0.5, 1.0]])),
        scored(-3.5),
    ],
    ids=["dense", "sparse", "no-terms", "multivector", "score"],
)
def test_finite_numbers_are_fine(answer: Any) -> None:
    assert judge(answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        None,
        encoded(),
        encoded(np.array([[1.0, np.nan]], np.float32)),
        encoded(np.array([[1.0, np.inf]], np.float32)),
        encoded(np.ones((1, 3), np.float32), sparse=terms(np.inf)),
        encoded(multivector=vectors([[0.5, np.nan]])),
        scored(np.nan),
    ],
    ids=["nothing", "no-numbers", "nan", "inf", "sparse", "multivector", "score"],
)
def test_anything_else_is_not(answer: Any) -> None:
    assert isinstance(judge(answer), EngineFailed)


@pytest.mark.parametrize("answer", [encoded, scored])
def test_an_error_of_the_item_is_told(answer: Any) -> None:
    error = OutOfMemory("no memory left")
    assert isinstance(judge(answer(np.nan, errors={0: error.info})), OutOfMemory)


def test_a_model_that_writes_is_told_no_labels() -> None:
    writes = Extractor(layout="any", finds=(Finding.OBJECTS, Finding.DATA))
    call = canary_call(deployed(chains=(), extraction=writes, inputs=(Modality.IMAGE,)))
    assert isinstance(call, ExtractCall)
    assert call.labels == ()
    assert call.max_new_tokens == 2
    assert call.items[0].pixels is not None


@pytest.mark.parametrize("labels", [(), ("dog",)])
def test_a_model_that_only_finds_is_asked_to_find(labels: tuple[str, ...]) -> None:
    finds = Extractor(layout="any", finds=(Finding.ENTITIES,), labels=labels)
    call = canary_call(deployed(chains=(), extraction=finds))
    assert isinstance(call, ExtractCall)
    assert call.items == [Item(text=TEXT)]
    assert bool(call.labels) != bool(labels)
    assert judge(ExtractResult(model="m", fingerprint="f", items=(Extraction(),), **ONE)) is None
