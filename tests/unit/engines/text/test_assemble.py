from __future__ import annotations

import weakref
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.catalog.operations import Normalize, Pool, Pooling, SparsePool
from stelae.catalog.spec import Backbone, Chain, ModelSpec, Source
from stelae.engines.base import Prepared
from stelae.engines.text.assemble import assemble
from stelae.engines.text.features import Output
from stelae.engines.text.options import check_call, choose_prompt, item_error, unreadable
from stelae.errors import EngineFailed, InvalidInput, StelaeError, UnsupportedTask
from stelae.types import EmbeddingDtype, EncodeCall, Item, OutputType, Role

PROMPTS = {"query": "q: ", "passage": "p: ", "sts": "s: "}


def spec_of(*, normalize: bool = True, **options: Any) -> ModelSpec:
    backbone = Backbone(folder="", architecture="BertModel", config={}, weights=())
    last = (Normalize(),) if normalize else ()
    facts: dict[str, Any] = {"dimensions": 4, "max_tokens": 8, "prompts": PROMPTS, **options}
    return ModelSpec(
        name="m",
        source=Source(kind="folder", location="/m"),
        folder="/m",
        backbone=backbone,
        chains=(Chain(output=OutputType.DENSE, steps=(Pool(modes=(Pooling.MEAN,)), *last)),),
        **facts,
    )


def call_of(**options: Any) -> EncodeCall:
    return EncodeCall(model="alias", items=[Item(text="a")], **options)


WRONG: list[tuple[dict[str, Any], type[StelaeError], str, str]] = [
    ({"outputs": ()}, InvalidInput, "outputs", "nothing was asked for"),
    ({"outputs": (OutputType.SPARSE,)}, UnsupportedTask, "outputs", "sparse"),
    ({"prompt": "a", "prompt_name": "query"}, InvalidInput, "prompt", "both"),
    ({"prompt": "\ud800"}, InvalidInput, "prompt", "U+D800"),
    ({"prompt_name": "qeury"}, InvalidInput, "prompt_name", "did you mean 'query'"),
    ({"prompt_name": "x" * 10**6}, InvalidInput, "prompt_name", "no such prompt"),
    ({"dimensions": 0}, InvalidInput, "dimensions", "4 or leave it out"),
    ({"dimensions": -1}, InvalidInput, "dimensions", "4-wide"),
    ({"dimensions": 5}, InvalidInput, "dimensions", "4-wide"),
    ({"dimensions": 3}, InvalidInput, "dimensions", "setting models.m.matryoshka"),
    ({"instruction": "i"}, InvalidInput, "instruction", "setting models.m.instruction"),
    ({"prompt": "p", "instruction": "i"}, InvalidInput, "instruction", "give one of them"),
    ({"prompt_name": "query", "instruction": "i"}, InvalidInput, "instruction", "give one"),
]


@pytest.mark.parametrize(("options", "error", "param", "part"), WRONG)
def test_option_that_the_model_cannot_do_is_refused(
    options: dict[str, Any], error: type[StelaeError], param: str, part: str
) -> None:
    with pytest.raises(error) as caught:
        check_call(spec_of(), call_of(**options))
    assert caught.value.param == param
    assert part in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_model_without_dense_vectors_has_none_to_cut() -> None:
    chain = Chain(output=OutputType.SPARSE, steps=(SparsePool(),))
    sparse = msgspec.structs.replace(spec_of(dimensions=0), chains=(chain,))
    with pytest.raises(InvalidInput, match=r"makes no dense vectors.*leave dimensions out"):
        check_call(sparse, call_of(outputs=(OutputType.SPARSE,), dimensions=8))


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"normalize": True}, "normalize"),
        ({"normalize": False}, "normalize"),
        ({"dimensions": 4}, "dimensions"),
        ({"dtype": EmbeddingDtype.INT8}, "dtype"),
        ({"dtype": EmbeddingDtype.UBINARY}, "dtype"),
    ],
)
def test_option_that_would_change_nothing_is_refused(options: dict[str, Any], param: str) -> None:
    both = spec_of()
    chain = Chain(output=OutputType.SPARSE, steps=(SparsePool(),))
    both = msgspec.structs.replace(both, chains=(*both.chains, chain))
    with pytest.raises(InvalidInput, match="outputs") as caught:
        check_call(both, call_of(outputs=(OutputType.SPARSE,), **options))
    assert caught.value.param == param
    check_call(both, call_of(outputs=(OutputType.SPARSE, OutputType.DENSE), **options))


def test_many_vectors_are_scaled_as_each_alone() -> None:
    rows = np.random.default_rng(5).standard_normal((700, 4)).astype(np.float32)
    made = [Output(dense=row.copy()) for row in rows]
    alive = [weakref.ref(row.dense) for row in made]
    result = assemble(call_of(), spec_of(), "", [Prepared(object(), tokens=1)] * 700, made)
    expected = rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(result.dense, expected, atol=1e-6)
    assert not any(ref() is not None for ref in alive)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, None])
def test_matryoshka_model_may_be_cut_to_any_width(dimensions: int | None) -> None:
    check_call(spec_of(matryoshka=(2, 4)), call_of(dimensions=dimensions))


def test_full_width_is_always_allowed() -> None:
    check_call(spec_of(), call_of(dimensions=4))


def test_refused_width_names_the_trained_ones() -> None:
    with pytest.raises(InvalidInput, match="trained for 2, 4"):
        check_call(spec_of(matryoshka=(2, 4)), call_of(dimensions=9))


CHOICES: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, None, ""),
    ({}, "sts", "s: "),
    ({"prompt": "mine: "}, "sts", "mine: "),
    ({"prompt": ""}, "sts", ""),
    ({"prompt_name": "query"}, "sts", "q: "),
    ({"role": Role.QUERY}, "sts", "q: "),
    ({"role": Role.DOCUMENT}, "sts", "p: "),
    ({"role": Role.DOCUMENT, "prompt_name": "sts"}, None, "s: "),
]


@pytest.mark.parametrize(("options", "default", "expected"), CHOICES)
def test_prompt_comes_from_the_most_explicit_wish(
    options: dict[str, Any], default: str | None, expected: str
) -> None:
    assert choose_prompt(spec_of(default_prompt=default), call_of(**options)) == expected


def test_role_without_prompt_means_none_even_beside_a_default() -> None:
    spec = spec_of(prompts={"query": "q: "}, default_prompt="query")
    assert choose_prompt(spec, call_of(role=Role.DOCUMENT)) == ""


@pytest.mark.parametrize(
    ("item", "part"),
    [
        (Item(), "either text or token_ids"),
        (Item(text="a", token_ids=[1]), "either text or token_ids"),
        (Item(text="broken \udc00 half"), "U+DC00 at position 7"),
        (Item(token_ids=[1, 10]), "0..9"),
        (Item(token_ids=[-1]), "0..9"),
    ],
)
def test_item_that_cannot_be_run_says_why(item: Item, part: str) -> None:
    error = item_error(item, vocabulary=10)
    assert error is not None
    assert part in str(error)


@pytest.mark.parametrize(
    "item", [Item(text=""), Item(text="\0 中文 😀"), Item(token_ids=[]), Item(token_ids=[0, 9])]
)
def test_item_that_can_be_run_has_no_error(item: Item) -> None:
    assert item_error(item, vocabulary=10) is None


@given(st.text())
def test_text_is_readable_exactly_if_it_has_utf_8(text: str) -> None:
    surrogate = any(0xD800 <= ord(character) <= 0xDFFF for character in text)
    assert (unreadable(text) is not None) == surrogate


def _run(
    rows: list[Any], *, spec: ModelSpec | None = None, prepared: Any = None, **options: Any
) -> Any:
    prepared = prepared or [Prepared(object(), tokens=3) for _ in rows]
    values = [Output(dense=np.array(r, np.float32)) if isinstance(r, list) else r for r in rows]
    return assemble(call_of(**options), spec or spec_of(), "print", prepared, values)


def test_rows_keep_their_order_and_get_unit_length() -> None:
    result = _run([[3, 4, 0, 0], [0, 0, 5, 12]])
    np.testing.assert_allclose(result.dense, [[0.6, 0.8, 0, 0], [0, 0, 5 / 13, 12 / 13]], rtol=1e-6)
    assert result.dense.dtype == np.float32
    assert (result.model, result.fingerprint) == ("m", "print")
    assert result.usage.tokens == 6


@pytest.mark.parametrize(
    ("model", "wish", "expected"),
    [(True, None, 1.0), (False, None, 5.0), (True, False, 5.0), (False, True, 1.0)],
)
def test_wish_for_unit_length_comes_before_the_model(
    model: bool, wish: bool | None, expected: float
) -> None:
    result = _run([[3, 4, 0, 0]], spec=spec_of(normalize=model), normalize=wish)
    assert np.linalg.norm(result.dense[0]) == pytest.approx(expected)


def test_cut_vector_gets_unit_length_again() -> None:
    result = _run([[3, 4, 12, 0]], spec=spec_of(matryoshka=(2, 4)), dimensions=2)
    np.testing.assert_allclose(result.dense, [[0.6, 0.8]], rtol=1e-6)


def test_cut_vector_of_a_model_without_unit_length_is_only_cut() -> None:
    spec = spec_of(normalize=False, matryoshka=(2, 4))
    np.testing.assert_array_equal(_run([[3, 4, 12, 0]], spec=spec, dimensions=2).dense, [[3, 4]])


def test_zero_vector_stays_zero() -> None:
    np.testing.assert_array_equal(_run([[0, 0, 0, 0]]).dense, [[0, 0, 0, 0]])


def test_failed_item_is_nan_and_its_neighbours_are_whole() -> None:
    early = Prepared(None, tokens=0, error=InvalidInput("bad text"))
    prepared = [Prepared(object(), tokens=2), early, Prepared(object(), tokens=5, truncated=True)]
    rows = [[1, 0, 0, 0], EngineFailed("never run"), [0, 2, 0, 0]]
    result = _run(rows, prepared=prepared)
    assert np.isnan(result.dense[1]).all()
    np.testing.assert_array_equal(result.dense[[0, 2]], [[1, 0, 0, 0], [0, 1, 0, 0]])
    assert {i: error.code for i, error in result.errors.items()} == {1: "invalid_input"}
    assert result.tokens.tolist() == [2, 0, 5]
    assert result.truncated.tolist() == [False, False, True]
    assert result.usage.tokens == 7


def test_all_items_may_fail() -> None:
    result = _run([EngineFailed("one"), EngineFailed("two")])
    assert result.dense.shape == (2, 4)
    assert sorted(result.errors) == [0, 1]
    assert result.usage.tokens == 0


def test_no_items_give_an_empty_matrix() -> None:
    call = EncodeCall(model="m", items=[])
    result = assemble(call, spec_of(), "print", [], [])
    assert result.dense is not None
    assert result.dense.shape == (0, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vector_that_is_not_finite_fails_its_item(value: float) -> None:
    result = _run([[1, 0, 0, 0], [value, 0, 0, 0]], spec=spec_of(normalize=False))
    assert result.errors[1].code == "engine_failed"
    assert np.isnan(result.dense[1]).all()


def test_half_precision_is_rounded_to_nearest() -> None:
    result = _run([[1, 2, 3, 4]], dtype=EmbeddingDtype.FLOAT16)
    assert result.dense.dtype == np.float16
    expected = (np.array([1, 2, 3, 4]) / np.sqrt(30)).astype(np.float16)
    np.testing.assert_array_equal(result.dense[0], expected)


def test_number_too_large_for_half_precision_fails_its_item() -> None:
    spec = spec_of(normalize=False)
    result = _run([[1e5, 0, 0, 0], [1, 0, 0, 0]], spec=spec, dtype=EmbeddingDtype.FLOAT16)
    assert list(result.errors) == [0]
    assert "float32" in result.errors[0].message
    assert result.dense[1, 0] == 1
