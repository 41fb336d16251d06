"""Names made up for items never are those of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.wire.sie.names import named_all

names = st.sampled_from(["item-0", "item-1", "item-2", "item-1-2", "item-2-2-2", "a", ""])


@pytest.mark.parametrize(
    ("given_names", "expected"),
    [
        ([None, None], ["item-0", "item-1"]),
        (["a", None, "b"], ["a", "item-1", "b"]),
        (["item-1", None], ["item-1", "item-1-2"]),
        ([None, "item-0"], ["item-0-2", "item-0"]),
        (["item-1", None, "item-1-2"], ["item-1", "item-1-3", "item-1-2"]),
        (["", None], ["", "item-1"]),
    ],
)
def test_places_name_items_unless_a_caller_took_the_name(
    given_names: list[str | None], expected: list[str]
) -> None:
    assert named_all(given_names) == expected


@given(st.lists(st.none() | names))
def test_no_made_up_name_is_that_of_another(given_names: list[str | None]) -> None:
    known = named_all(given_names)
    made = [name for name, own in zip(known, given_names, strict=True) if own is None]
    assert [n for n, own in zip(known, given_names, strict=True) if own is not None] == [
        own for own in given_names if own is not None
    ]
    assert len(set(made)) == len(made)
    assert not set(made) & {own for own in given_names if own is not None}
