from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stelae.errors import InvalidInput
from stelae.service.checks import bare, check_encode, check_score
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    Item,
    Muvera,
    OutputType,
    ScoreCall,
    Truncate,
)


def with_items(*items: Any) -> EncodeCall:
    return EncodeCall(model="m", items=list(items))


def score_call(query: Any, *documents: Any) -> ScoreCall:
    return ScoreCall(model="m", query=query, documents=list(documents))


def test_no_items_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_encode(with_items())
    assert caught.value.param == "items"


WRONG_ITEMS = pytest.mark.parametrize(
    "item",
    [
        "a bare string",
        None,
        Item(),
        Item(text="both", token_ids=[1]),
        Item(text="both", image=b"x"),
        Item(image=b"both", pixels=np.zeros((2, 2), np.uint8)),
        Item(image="aGVsbG8="),  # type: ignore[arg-type]
        Item(image=bytearray(b"x")),  # type: ignore[arg-type]
        Item(pixels=[[1, 2]]),  # type: ignore[arg-type]
        Item(pixels=np.array([["a"]])),
        Item(pixels=np.array([[None]])),
        Item(pixels=np.array([[1j]])),
        Item(text=5),  # type: ignore[arg-type]
        Item(text=b"bytes"),  # type: ignore[arg-type]
        Item(token_ids="12"),  # type: ignore[arg-type]
        Item(token_ids=[1, "2"]),  # type: ignore[list-item]
        Item(token_ids=[True]),
        Item(token_ids=[1.0]),  # type: ignore[list-item]
    ],
    ids=repr,
)


@WRONG_ITEMS
def test_a_wrong_item_is_refused_with_its_position(item: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_encode(with_items(Item(text="fine"), item))
    assert caught.value.param == "items[1]"


@WRONG_ITEMS
def test_a_wrong_query_or_document_is_refused_with_its_place(item: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_score(score_call(item, Item(text="fine")))
    assert caught.value.param == "query"
    with pytest.raises(InvalidInput) as caught:
        check_score(score_call(Item(text="q"), Item(text="fine"), item))
    assert caught.value.param == "documents[1]"


def test_no_documents_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_score(score_call(Item(text="q")))
    assert caught.value.param == "documents"


@pytest.mark.parametrize(
    "item",
    [Item(text=""), Item(text=" "), Item(token_ids=[]), Item(text="x"), Item(image=b"")],
    ids=repr,
)
def test_empty_texts_are_the_models_business(item: Item) -> None:
    assert check_encode(with_items(item)) > 0


def test_longer_calls_are_estimated_larger() -> None:
    short, long = with_items(Item(text="a")), with_items(Item(text="a" * 10_000_000))
    assert check_encode(long) - check_encode(short) >= 10_000_000
    assert check_encode(with_items(*[Item(text="a")] * 100)) > 50 * check_encode(short)


def test_pictures_count_by_their_bytes() -> None:
    small = check_encode(with_items(Item(image=b"x")))
    assert check_encode(with_items(Item(image=b"x" * 10_000_000))) - small >= 10_000_000
    pixels = np.zeros((1000, 1000, 3), np.float32)
    assert check_encode(with_items(Item(pixels=pixels))) - small >= pixels.nbytes - 1


def test_token_vectors_are_estimated_by_the_length_of_the_text() -> None:
    call = with_items(Item(text="a" * 4000))
    several = EncodeCall(
        model="m", items=call.items, outputs=(OutputType.DENSE, OutputType.MULTIVECTOR)
    )
    assert check_encode(several) - check_encode(call) >= 1000 * 128 * 4


HELD = 3
"""Bytes of the text "a" in a request: as it came, as sent on, as decoded."""


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"dimensions": 4096}, 4096),
        ({"muvera": Muvera()}, 10240),
        ({"muvera": Muvera(dimensions=None)}, 40 * 2**6 * 128),
        ({"muvera": Muvera(repetitions=1000, projections=7, dimensions=None)}, 1000 * 2**7 * 128),
    ],
    ids=str,
)
def test_answers_are_estimated_by_the_width_and_dtype_asked_for(
    options: dict[str, Any], numbers: int
) -> None:
    def grown(**others: Any) -> int:
        one, two = (
            EncodeCall(model="m", items=[Item(text="a")] * n, **options, **others) for n in (1, 2)
        )
        return check_encode(two) - check_encode(one) - HELD

    assert grown() == 4 * numbers
    assert grown(dtype=EmbeddingDtype.FLOAT16) == 2 * numbers
    assert grown(dtype=EmbeddingDtype.INT8) == numbers
    assert grown(dtype=EmbeddingDtype.BINARY) == numbers // 8


@pytest.mark.parametrize(
    "wrong", [Muvera(projections=10**9), Muvera(repetitions=0), Muvera(repetitions=10**9)], ids=str
)
def test_muvera_out_of_range_is_refused_before_its_size_is_told(wrong: Muvera) -> None:
    with pytest.raises(InvalidInput, match="must be from"):
        check_encode(EncodeCall(model="m", items=[Item(text="a")], muvera=wrong))


def test_query_and_documents_count() -> None:
    short, long = Item(text="a"), Item(text="a" * 1_000_000)
    plain = check_score(score_call(short, short))
    assert check_score(score_call(long, short)) - plain >= 999_999
    assert check_score(score_call(short, *[long] * 3)) - plain >= 2_999_997


def test_workers_get_the_models_own_name_and_no_notes() -> None:
    noted = Item(text="t", id="mine", metadata={"secret": 1})
    call = EncodeCall(model="alias", items=[noted, Item(token_ids=[1])], truncate=Truncate.START)
    assert bare(call, "name") == EncodeCall(
        model="name", items=[Item(text="t"), Item(token_ids=[1])], truncate=Truncate.START
    )


def test_workers_get_no_notes_of_query_and_documents() -> None:
    noted = Item(text="q", id="mine")
    call = ScoreCall(model="alias", query=noted, documents=[Item(text="d", metadata={})], by=None)
    assert bare(call, "name") == ScoreCall(
        model="name", query=Item(text="q"), documents=[Item(text="d")]
    )


def test_pictures_reach_the_workers() -> None:
    pixels = np.zeros((2, 2), np.uint8)
    got = bare(with_items(Item(pixels=pixels, id="a"), Item(image=b"x", id="b")), "m").items
    assert got[0].pixels is pixels
    assert got[1] == Item(image=b"x")


def test_a_call_that_is_bare_already_is_not_copied() -> None:
    call = with_items(Item(text="t"))
    assert bare(call, "m") is call
    pair = score_call(Item(text="q"), Item(text="d"))
    assert bare(pair, "m") is pair


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_given_vectors_in_codes_are_refused_for_their_scale_is_lost(dtype: str) -> None:
    codes = Item(multivector=np.ones((2, 4), dtype))
    with pytest.raises(InvalidInput, match=rf"documents\[1\].*{dtype}.*float32 or float16"):
        check_score(score_call(Item(text="q"), Item(text="d"), codes))
    with pytest.raises(InvalidInput, match=r"^query\.multivector"):
        check_score(score_call(codes, Item(text="d")))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_given_vectors_in_numbers_are_taken(dtype: str) -> None:
    whole = Item(multivector=np.ones((2, 4), dtype))
    assert check_score(score_call(whole, whole)) > 0
