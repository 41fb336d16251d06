from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stelae.client._items import MAX_BYTES, Many, One, Packer, Stream, checked, sorted_out
from stelae.client._place import Place
from stelae.client._sync._crew import STREAMS
from stelae.errors import InvalidInput
from stelae.types import Item

PLACE = Place("items", 7)


class Colour(StrEnum):
    RED = "red"


class Table:
    """Like a data frame: iterating it gives the names of its columns."""

    columns = ("text",)

    def __iter__(self) -> Any:
        return iter(self.columns)

    def __len__(self) -> int:
        return 1


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=50), st.integers(1, 9))
def test_packing_keeps_every_item_in_order_under_the_limits(texts: list[str], size: int) -> None:
    chunks = list(Packer(size, max_bytes=50).pack(texts))
    assert [item.text for chunk in chunks for item in chunk.items] == texts
    place = 0
    for chunk in chunks:
        assert chunk.start == place
        place += len(chunk.items)
        weight = sum(len((item.text or "").encode()) for item in chunk.items)
        assert 1 <= len(chunk.items) <= size
        assert weight <= 50 or len(chunk.items) == 1


def test_item_after_a_huge_one_starts_a_new_chunk() -> None:
    chunks = list(Packer(2).pack(["x" * (MAX_BYTES + 1), "a", "b", "c"]))
    assert [len(chunk.items) for chunk in chunks] == [1, 2, 1]


def test_token_ids_weigh_in() -> None:
    chunks = list(Packer(max_bytes=10).pack([{"token_ids": [1, 2]}, {"token_ids": [3]}]))
    assert [chunk.start for chunk in chunks] == [0, 1]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("text", One),
        (Item(text="a"), One),
        ({"text": "a"}, One),
        (b"a picture's file", One),
        (memoryview(b"a picture's file"), One),
        (Path("picture.png"), One),
        (np.zeros((4, 4, 3), np.uint8), One),
        (Image.new("RGB", (4, 4)), One),
        ([b"a", Path("b")], Many),
        ([np.zeros((4, 4, 3), np.uint8)], Many),
        (MappingProxyType({"text": "a"}), One),
        (["a"], Many),
        (("a",), Many),
        (np.array(["a"]), Many),
        (iter(["a"]), Stream),
        ((text for text in "ab"), Stream),
    ],
)
def test_one_many_and_streams_are_told_apart(given: object, kind: type) -> None:
    assert isinstance(sorted_out(given, STREAMS), kind)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a", "b"}, "a set has no order"),
        (Table(), "give one of its columns"),
        (3, "int is not an item"),
        (None, "NoneType is not an item"),
    ],
)
def test_what_is_neither_is_refused_with_a_way_out(given: object, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        sorted_out(given, STREAMS)
    assert message in str(caught.value)


async def test_blocking_client_refuses_an_asynchronous_stream() -> None:
    async def texts() -> AsyncIterator[str]:
        yield "a"

    with pytest.raises(InvalidInput, match="AsyncClient"):
        sorted_out(texts(), STREAMS)


def test_texts_of_other_classes_become_plain() -> None:
    item, size = checked(Colour.RED, PLACE)
    assert (item.text, type(item.text), size) == ("red", str, 3)
    item, _ = checked(Item(text=Colour.RED, id="x"), PLACE)
    assert (type(item.text), item.id) == (str, "x")


def test_size_is_counted_in_bytes() -> None:
    assert checked("aä€😀", PLACE)[1] == 1 + 2 + 3 + 4


def test_token_ids_may_be_a_tuple_or_an_array() -> None:
    for ids in ([1, 2], (1, 2), np.array([1, 2], np.int32)):
        assert checked({"token_ids": ids}, PLACE)[0].token_ids == [1, 2]
    assert checked(Item(token_ids=[]), PLACE)[1] == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "needs exactly one of 'text', 'token_ids', 'image', 'pixels'"),
        ({"text": "a", "token_ids": [1]}, "needs exactly one"),
        ({"text": "a", "image": b"x"}, "needs exactly one"),
        (Item(), "needs exactly one"),
        (
            {"txt": "a"},
            "unknown key 'txt'; keys are text, token_ids, image",
        ),
        ({"text": 3}, "'text' of type int"),
        ({"text": "a", "id": 3}, "'id' of type int"),
        ({"text": "a", "metadata": 3}, "'metadata' of type int"),
        ({"token_ids": "abc"}, "whole numbers"),
        ({"token_ids": [1, -1]}, "whole numbers"),
        ({"token_ids": [1.0]}, "whole numbers"),
        ({"token_ids": [True]}, "whole numbers"),
        (np.int64(3), "is a number"),
        (True, "is a number"),
        (1.5, "of type float"),
        (["a"], "of type list"),
        ({"image": "picture.png"}, "'image' of type str; give bytes, a path (pathlib.Path)"),
        ({"pixels": [[1, 2]]}, "not a NumPy array of numbers"),
        ({"pixels": np.array(["a"])}, "not a NumPy array of numbers"),
        (np.zeros((2, 2, 2, 3), np.uint8), "has shape (2, 2, 2, 3)"),
        (np.zeros(3, np.uint8), "of type ndarray"),
        (Path("no/such/file.png"), "'no/such/file.png' cannot be read: No such file"),
        (Path("nul\0byte"), "cannot be read: "),
        (Path("/"), "'/' is not a file"),
        ({"image": Path("no/such/file.png")}, "cannot be read"),
        ("\udfff", "lone surrogate (U+DFFF)"),
    ],
    ids=str,
)
def test_wrong_item_is_named_by_its_index(value: object, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked(value, PLACE)
    assert caught.value.message.startswith("items[7]")
    assert message in caught.value.message
    assert caught.value.details == {"index": 7}
