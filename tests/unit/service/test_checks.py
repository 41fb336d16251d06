from __future__ import annotations

from typing import Any

import pytest

from stelae.errors import InvalidInput
from stelae.service.checks import bare, check_encode
from stelae.types import EncodeCall, Item, Truncate


def with_items(*items: Any) -> EncodeCall:
    return EncodeCall(model="m", items=list(items))


def test_no_items_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_encode(with_items())
    assert caught.value.param == "items"


@pytest.mark.parametrize(
    "item",
    [
        "a bare string",
        None,
        Item(),
        Item(text="both", token_ids=[1]),
        Item(text=5),  # type: ignore[arg-type]
        Item(text=b"bytes"),  # type: ignore[arg-type]
        Item(token_ids="12"),  # type: ignore[arg-type]
        Item(token_ids=[1, "2"]),  # type: ignore[list-item]
        Item(token_ids=[True]),
        Item(token_ids=[1.0]),  # type: ignore[list-item]
    ],
    ids=repr,
)
def test_a_wrong_item_is_refused_with_its_position(item: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_encode(with_items(Item(text="fine"), item))
    assert caught.value.param == "items[1]"


@pytest.mark.parametrize(
    "item", [Item(text=""), Item(text=" "), Item(token_ids=[]), Item(text="x")]
)
def test_empty_texts_are_the_models_business(item: Item) -> None:
    assert check_encode(with_items(item)) > 0


def test_longer_calls_are_estimated_larger() -> None:
    short, long = with_items(Item(text="a")), with_items(Item(text="a" * 10_000_000))
    assert check_encode(long) - check_encode(short) >= 10_000_000
    assert check_encode(with_items(*[Item(text="a")] * 100)) > 50 * check_encode(short)


def test_workers_get_the_models_own_name_and_no_notes() -> None:
    noted = Item(text="t", id="mine", metadata={"secret": 1})
    call = EncodeCall(model="alias", items=[noted, Item(token_ids=[1])], truncate=Truncate.START)
    assert bare(call, "name") == EncodeCall(
        model="name", items=[Item(text="t"), Item(token_ids=[1])], truncate=Truncate.START
    )


def test_a_call_that_is_bare_already_is_not_copied() -> None:
    call = with_items(Item(text="t"))
    assert bare(call, "m") is call
