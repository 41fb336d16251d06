from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, OutputType, Ragged
from stelae.vectors import maxsim as module
from stelae.vectors.maxsim import maxsim, maxsim_batch
from stelae.vectors.quantize import dequantize, quantize
from stelae.vectors.ragged import widen

Floats = NDArray[np.float32]


def texts(*lengths: int, width: int = 8, seed: int = 0) -> list[Floats]:
    """One matrix of unit vectors per length."""
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(length, width)).astype(np.float32) for length in lengths]
    return [row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows]


def pack(documents: list[Floats]) -> Ragged:
    return Ragged(
        values=np.concatenate(documents),
        offsets=np.cumsum([0, *map(len, documents)]),
    )


def by_definition(query: NDArray[Any], documents: list[Floats]) -> NDArray[np.float64]:
    """Khattab and Zaharia 2020, equation 3, in double precision."""
    wide = [document.astype(np.float64) for document in documents]
    return np.array([(query.astype(np.float64) @ d.T).max(axis=1).sum() for d in wide])


def test_each_query_token_counts_with_its_best_match() -> None:
    query = [[1.0, 0.0], [0.0, 1.0]]
    documents = [[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0]], [[-1.0, -2.0]]]
    np.testing.assert_allclose(maxsim(query, documents), [1.5, 1.0, -3.0])


@given(
    queries=st.lists(st.integers(1, 70), min_size=1, max_size=4),
    documents=st.lists(st.integers(1, 300), min_size=1, max_size=40),
    width=st.sampled_from([1, 3, 128, 700]),
    threads=st.integers(1, 3),
)
def test_scores_are_those_of_the_definition(
    queries: list[int], documents: list[int], width: int, threads: int
) -> None:
    asked = texts(*queries, width=width, seed=1)
    held = texts(*documents, width=width, seed=2)
    expected = [by_definition(query, held) for query in asked]
    scores = maxsim_batch(asked, held, threads=threads)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=2e-5)
    np.testing.assert_array_equal(maxsim_batch(pack(asked), pack(held), threads=threads), scores)


def test_threads_share_the_work_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_A_THREAD", 1)
    query, documents = texts(32, width=16)[0], texts(*range(1, 200), width=16)
    alone = maxsim(query, documents, threads=1)
    np.testing.assert_array_equal(maxsim(query, documents, threads=5), alone)


def test_a_score_does_not_depend_on_the_other_documents() -> None:
    query, documents = texts(32, width=128)[0], texts(*range(1, 120), width=128)
    together = maxsim(query, documents)
    alone = [maxsim(query, [document])[0] for document in documents]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_long_document_needs_no_room_for_all_pairs_of_all_documents() -> None:
    [query] = texts(40, width=4)
    [document] = texts(100_000, width=4)
    np.testing.assert_allclose(
        maxsim(query, [document, document[:3]]),
        by_definition(query, [document, document[:3]]),
        atol=1e-5,
    )


@pytest.mark.parametrize("form", ["one", "list", "stack", "packed", "generator", "nested"])
def test_documents_in_every_form(form: str) -> None:
    query, document = texts(5)[0], texts(7, seed=3)[0]
    forms: dict[str, Any] = {
        "one": document,
        "list": [document],
        "stack": document[None],
        "packed": pack([document]),
        "generator": (d for d in [document]),
        "nested": [document.tolist()],
    }
    expected = by_definition(query, [document])
    np.testing.assert_allclose(maxsim(query, forms[form]), expected, atol=1e-6)


def test_arrays_need_not_be_contiguous() -> None:
    query, document = texts(6, width=16)[0], texts(9, width=16, seed=1)[0]
    np.testing.assert_allclose(
        maxsim(query[::2, ::2], [document[::3, ::2]]),
        by_definition(query[::2, ::2], [document[::3, ::2]]),
        atol=1e-6,
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int16])
def test_other_formats_are_added_up_in_float32(dtype: type[np.generic]) -> None:
    # Their sums are larger than float16 and int16 can hold.
    query = np.full((40, 256), 3, dtype)
    documents = [np.full((n, 256), 5, dtype) for n in (1, 2)]
    np.testing.assert_array_equal(maxsim(query, documents), [40 * 256 * 15.0] * 2)
    packed = Ragged(values=np.concatenate(documents), offsets=np.array([0, 1, 3]))
    np.testing.assert_array_equal(maxsim(query, packed), [40 * 256 * 15.0] * 2)


def test_documents_of_several_formats_go_together() -> None:
    documents = texts(3, 4, 5)
    mixed = [documents[0].astype(np.float16), documents[1].astype(np.float64), documents[2]]
    query = texts(4, seed=9)[0]
    expected = by_definition(query, [d.astype(np.float32) for d in mixed])
    np.testing.assert_allclose(maxsim(query, mixed), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "error"),
    [(EmbeddingDtype.INT8, 0.1), (EmbeddingDtype.UINT8, 0.1), (EmbeddingDtype.BINARY, 2.0)],
)
def test_quantized_documents_score_as_their_dequantized_ones(
    dtype: EmbeddingDtype, error: float
) -> None:
    query, documents = texts(8, width=29)[0], texts(5, 1, 9, width=29, seed=4)
    packed = pack(documents)
    codes, reading = quantize(packed.values, dtype, output=OutputType.MULTIVECTOR)
    small = Ragged(values=codes, offsets=packed.offsets, quantization=reading)
    read = np.split(dequantize(codes, reading), packed.offsets[1:-1])
    np.testing.assert_allclose(maxsim(query, small), by_definition(query, read), atol=1e-5)
    np.testing.assert_allclose(maxsim(query, small), maxsim(query, documents), atol=error)


def test_nothing_gives_nothing() -> None:
    [query] = texts(3)
    assert maxsim(query, []).shape == (0,)
    assert maxsim_batch([], [query]).shape == (0, 1)
    assert maxsim(query, Ragged(values=query[:0], offsets=np.array([0]))).shape == (0,)


def ragged(values: Any, offsets: list[int]) -> Ragged:
    return Ragged(values=np.asarray(values, np.float32), offsets=np.array(offsets))


WIDE = np.ones((2, 4), np.float32)
NAN = np.array([[np.nan, 1, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("query", "documents", "message"),
    [
        (np.ones((2, 3)), [WIDE], r"query is 3 wide and documents 4"),
        (WIDE, [WIDE, WIDE[:, :2]], r"documents\[0\] is 4 wide and documents\[1\] 2"),
        (WIDE, [WIDE, WIDE[:0]], r"documents\[1\] is empty"),
        (WIDE, [WIDE[:, :0]], r"documents\[0\] is empty"),
        (WIDE[:0], [WIDE], r"query is empty"),
        (WIDE[0], [WIDE], r"query has shape \(4,\)"),
        (WIDE, [WIDE[0]], r"documents\[0\] has shape \(4,\)"),
        (WIDE, WIDE[0], r"documents\[0\] holds|documents\[0\] has shape"),
        (WIDE, [WIDE, NAN], r"documents\[1\] holds NaN"),
        (WIDE, [WIDE, NAN.astype(np.float16)], r"documents\[1\] holds NaN"),
        (WIDE, [WIDE, WIDE * np.inf], r"documents\[1\] holds NaN, infinity"),
        (WIDE, [WIDE, WIDE.astype(np.float64) * 1e200], r"documents\[1\] .*too large"),
        (NAN, [WIDE, WIDE], r"query holds NaN"),
        (WIDE, [NAN], r"documents\[0\] holds NaN"),
        (WIDE.astype(np.float64) * 1e200, [WIDE], r"query\[0\] .*too large"),
        (WIDE, [[["a", "b"]]], r"documents\[0\] holds <U1"),
        (WIDE, [[[1, 2], [3]]], r"documents\[0\] is not a rectangular array"),
        (WIDE, [np.ones((2, 4), np.uint8)], r"documents\[0\] holds uint8 codes.*dequantize"),
        (WIDE, [np.ones((2, 4), np.int8)], r"documents\[0\] holds int8 codes.*dequantize"),
        (np.ones((2, 4), np.int8), [WIDE], r"query holds int8 codes"),
        (WIDE, Ragged(values=WIDE.astype(np.int8), offsets=np.array([0, 2])), "holds int8 codes"),
        (WIDE, ragged(WIDE, [0, 1]), r"offsets of documents must lead from 0 to its 2 rows"),
        (WIDE, ragged(WIDE, []), r"offsets of documents"),
        (WIDE, ragged(WIDE, [0, 2, 2]), r"documents\[1\] is empty"),
        (WIDE, ragged(WIDE[0], [0, 4]), r"documents has shape \(4,\)"),
    ],
)
def test_bad_input_is_named(query: Any, documents: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        maxsim(query, documents)


def test_the_query_at_fault_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"queries\[2\] holds NaN"):
        maxsim_batch([WIDE, WIDE, NAN], [WIDE])


def test_quantization_must_be_of_the_same_rows() -> None:
    codes, reading = quantize(WIDE, EmbeddingDtype.INT8)
    short = Ragged(values=codes[:1], offsets=np.array([0, 1]), quantization=reading)
    with pytest.raises(InvalidInput, match="quantization of documents is not for its 1 rows"):
        maxsim(WIDE, short)


def test_every_half_becomes_the_same_float() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)]
    for values in (finite, halves):
        found = widen(values, np.empty(values.shape, np.float32))
        np.testing.assert_array_equal(found, values.astype(np.float32))
        assert (np.signbit(found) == np.signbit(values)).all()
