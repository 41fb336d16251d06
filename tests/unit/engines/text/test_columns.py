"""Columns of results that are not plain dense vectors."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from stelae.catalog.operations import LateInteraction, Marking
from stelae.catalog.spec import Backbone, Chain, ModelSpec, Source
from stelae.engines.base import Prepared
from stelae.engines.text.assemble import assemble
from stelae.engines.text.features import Output
from stelae.engines.text.options import check_call, wanted_of_device
from stelae.errors import EngineFailed, InvalidInput
from stelae.types import EmbeddingDtype, EncodeCall, EncodeResult, Item, Muvera, OutputType, Role
from stelae.vectors import muvera
from stelae.vectors.quantize import dequantize, quantize

DENSE, SPARSE, MULTI = OutputType.DENSE, OutputType.SPARSE, OutputType.MULTIVECTOR
LATE = LateInteraction(query=Marking(max_tokens=8), document=Marking(max_tokens=8))
SPEC = ModelSpec(
    name="m",
    source=Source(kind="folder", location="/m"),
    folder="/m",
    backbone=Backbone(folder="", architecture="BertModel", config={}, weights=()),
    chains=(Chain(output=MULTI, steps=(LATE,)), Chain(output=SPARSE, steps=())),
    token_dimensions=4,
    max_tokens=8,
)
RNG = np.random.default_rng(3)
MATRICES = [RNG.standard_normal((n, 4)).astype(np.float32) for n in (5, 1, 7)]


def call_of(*outputs: OutputType, **options: Any) -> EncodeCall:
    return EncodeCall(model="m", items=[Item(text="a")] * 3, outputs=outputs, **options)


def run(call: EncodeCall, rows: list[Any]) -> EncodeResult:
    check_call(SPEC, call)
    return assemble(call, SPEC, "print", [Prepared(object(), tokens=3) for _ in rows], rows)


def texts(rows: list[Any]) -> list[Any]:
    return [Output(vectors=row) if isinstance(row, np.ndarray) else row for row in rows]


def test_token_vectors_stand_end_to_end_and_failed_items_have_none() -> None:
    result = run(call_of(MULTI), texts([MATRICES[0], EngineFailed("no"), MATRICES[2]]))
    assert result.multivector is not None
    assert result.multivector.offsets.tolist() == [0, 5, 5, 12]
    np.testing.assert_array_equal(
        result.multivector.values, np.concatenate([MATRICES[0], MATRICES[2]])
    )
    assert result.dense is None


def test_small_numbers_of_token_vectors_can_be_read_back() -> None:
    result = run(call_of(MULTI, dtype=EmbeddingDtype.INT8), texts(MATRICES))
    column = result.multivector
    assert column is not None
    assert column.values.dtype == np.int8
    read = dequantize(column.values, column.quantization)
    exact = np.concatenate(MATRICES)
    assert (np.abs(read - exact) <= np.abs(exact).max(axis=1, keepdims=True) / 127).all()


def test_documents_are_pooled_and_queries_are_not() -> None:
    pooled = run(call_of(MULTI, pool_factor=2), texts(MATRICES)).multivector
    kept = run(call_of(MULTI, pool_factor=2, role=Role.QUERY), texts(MATRICES)).multivector
    assert pooled is not None
    assert kept is not None
    assert np.diff(pooled.offsets).tolist() == [3, 1, 4]
    assert np.diff(kept.offsets).tolist() == [5, 1, 7]


@pytest.mark.parametrize("role", [None, Role.QUERY, Role.DOCUMENT])
def test_muvera_makes_the_dense_vectors(role: Role | None) -> None:
    parameters = Muvera(repetitions=3, projections=2, dimensions=None)
    call = call_of(DENSE, muvera=parameters, role=role)
    assert wanted_of_device(call) == (MULTI,)
    result = run(call, texts([*MATRICES[:2], np.empty((0, 4), np.float32)]))
    expected = muvera.encode(MATRICES[:2], role or Role.DOCUMENT, parameters)
    assert result.dense is not None
    np.testing.assert_array_equal(result.dense[:2], expected)
    assert not result.dense[2].any()
    assert result.multivector is None


def test_terms_stand_end_to_end_and_a_text_may_have_none() -> None:
    terms = [([3, 9], [0.5, 2.0]), ([], []), ([1], [np.inf])]
    rows = [Output(terms=(np.array(i, np.int32), np.array(w, np.float32))) for i, w in terms]
    result = run(call_of(SPARSE), rows)
    assert result.sparse is not None
    assert result.sparse.offsets.tolist() == [0, 2, 2, 2]
    assert result.sparse.indices.tolist() == [3, 9]
    assert list(result.errors) == [2]


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"outputs": (SPARSE,), "pool_factor": 2}, "pool_factor"),
        ({"outputs": (MULTI,), "pool_factor": 0}, "pool_factor"),
        ({"outputs": (MULTI,), "muvera": Muvera()}, "muvera"),
        ({"outputs": (DENSE,), "muvera": Muvera(), "normalize": True}, "normalize"),
        ({"outputs": (DENSE,), "muvera": Muvera(), "dimensions": 4}, "dimensions"),
        ({"outputs": (DENSE,), "muvera": Muvera(projections=99)}, "muvera.projections"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    options: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_call(SPEC, EncodeCall(model="m", items=[Item(text="a")], **options))
    assert caught.value.param == param


LARGE = np.full((2, 4), 7e4, np.float32)
NOT_FINITE = np.full((2, 4), np.inf, np.float32)


@pytest.mark.parametrize("outputs", [(SPARSE, MULTI), (MULTI, SPARSE)])
def test_what_fails_in_one_column_is_in_none(outputs: tuple[OutputType, ...]) -> None:
    terms = (np.array([2], np.int32), np.array([0.5], np.float32))
    rows = [Output(terms=terms, vectors=v) for v in (MATRICES[0], NOT_FINITE, MATRICES[1])]
    result = run(call_of(*outputs), rows)
    assert result.sparse is not None
    assert result.multivector is not None
    assert result.sparse.offsets.tolist() == [0, 1, 1, 2]
    assert result.multivector.offsets.tolist() == [0, 5, 5, 6]
    assert [error.code for error in result.errors.values()] == ["engine_failed"]
    assert result.tokens.tolist() == [3, 0, 3]


def test_numbers_beyond_half_precision_are_told_and_never_infinite() -> None:
    terms = (np.array([2], np.int32), np.array([7e4], np.float32))
    half = EmbeddingDtype.FLOAT16
    many = run(call_of(MULTI, dtype=half), texts([MATRICES[0], LARGE]))
    assert list(many.errors) == [1]
    assert "65504" in many.errors[1].message
    assert many.multivector is not None
    assert np.isfinite(many.multivector.values).all()
    rows = [Output(terms=terms) for _ in range(2)]
    assert list(run(call_of(SPARSE, dtype=half), rows).errors) == [0, 1]


def test_rows_are_let_go_of_when_they_are_in_columns() -> None:
    """Else a large answer would stand in memory twice."""
    rows = texts([matrix.copy() for matrix in MATRICES])
    alive = [weakref.ref(row.vectors) for row in rows]
    result = run(call_of(MULTI), rows)
    assert result.multivector is not None
    assert [ref() for ref in alive] == [None] * 3


@pytest.mark.parametrize("dtype", list(EmbeddingDtype))
def test_many_texts_are_written_as_one_after_the_other(dtype: EmbeddingDtype) -> None:
    """Each row by itself, whatever stands before it; among them texts without any."""
    matrices = [RNG.standard_normal((n % 7, 4)).astype(np.float32) for n in range(200)]
    result = run(call_of(MULTI, dtype=dtype), texts(matrices))
    codes, reading = quantize(np.concatenate(matrices), dtype, output=MULTI)
    assert result.multivector is not None
    np.testing.assert_array_equal(result.multivector.values, codes)
    assert result.multivector.values.dtype == codes.dtype
    found = result.multivector.quantization
    assert (found is None) == (reading is None)
    if found is not None and reading is not None:
        np.testing.assert_array_equal(found.scale, reading.scale)
        np.testing.assert_array_equal(found.zero, reading.zero)
        assert found.dimensions == reading.dimensions
