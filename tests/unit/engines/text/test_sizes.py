"""What one answer may hold, whatever is asked."""

from __future__ import annotations

import msgspec
import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.spec import ModelSpec
from stelae.engines.text.sizes import MOST_BYTES, check_size
from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, EncodeCall, Item, Muvera, OutputType

WIDE = Muvera(repetitions=1000, projections=9, dimensions=None)
"""512,000 cells; of 32 numbers each they are 62.5 MiB for one text."""


def spec() -> ModelSpec:
    return msgspec.structs.replace(Catalog().spec("default"), dimensions=64, token_dimensions=32)


def test_small_request_for_huge_vectors_is_refused() -> None:
    wide = EncodeCall(model="m", items=[Item(text="a")] * 9, muvera=WIDE)
    with pytest.raises(InvalidInput, match="send at most 8 such items") as caught:
        check_size(spec(), wide, 9)
    assert caught.value.param == "items"
    check_size(spec(), wide.part(0, 8), 8)


def test_numbers_count_as_they_are_made_whatever_they_are_sent_as() -> None:
    whole = EncodeCall(model="m", items=[Item(text="a")] * 9, muvera=WIDE)
    with pytest.raises(InvalidInput):
        check_size(spec(), msgspec.structs.replace(whole, dtype=EmbeddingDtype.BINARY), 9)


def test_token_vectors_count_by_the_tokens() -> None:
    late = EncodeCall(model="m", items=[Item(text="a")] * 4, outputs=(OutputType.MULTIVECTOR,))
    most = MOST_BYTES // (32 * 4)
    check_size(spec(), late, most)
    with pytest.raises(InvalidInput, match="3 such items"):
        check_size(spec(), late, most + 1)


def test_cut_vectors_count_as_cut() -> None:
    count = MOST_BYTES // (64 * 4) + 1
    items = [Item(text="a")] * count
    with pytest.raises(InvalidInput):
        check_size(spec(), EncodeCall(model="m", items=items), count)
    check_size(spec(), EncodeCall(model="m", items=items, dimensions=32), count)
