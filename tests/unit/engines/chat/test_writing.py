"""Text as it grows: whole characters, and nothing of a stop string."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.engines.chat.writing import Text, Writer


def decode(ids: Sequence[int]) -> str:
    """A tokenizer with a token for each byte."""
    return bytes(ids).decode("utf-8", "replace")


@given(st.text())
def test_pieces_of_any_text_are_whole_characters_and_join_to_it(text: str) -> None:
    growing = Text(decode)
    pieces = [growing.add(byte) for byte in text.encode("utf-8", "replace")]
    assert "".join([*pieces, growing.rest()]) == text.encode("utf-8", "replace").decode()
    assert all("\ufffd" not in piece or "\ufffd" in text for piece in pieces)


@given(st.binary(max_size=12))
def test_bytes_that_are_no_text_lose_nothing(data: bytes) -> None:
    growing = Text(decode)
    pieces = [growing.add(byte) for byte in data]
    assert "".join([*pieces, growing.rest()]) == decode(data)


def test_text_that_depends_on_its_neighbours_is_decoded_with_them() -> None:
    words = ["▁the", "▁sea", "s"]

    def joined(ids: Sequence[int]) -> str:
        return "".join(words[i] for i in ids).replace("▁", " ").removeprefix(" ")

    growing = Text(joined)
    assert [growing.add(i) for i in range(3)] == ["the", " sea", "s"]


@given(
    st.text("abc", max_size=30),
    st.lists(st.text("abc", min_size=1, max_size=4), max_size=3),
)
def test_text_ends_where_the_first_stop_string_would_be_seen(text: str, stops: list[str]) -> None:
    writer, told = Writer(decode, stops), ""
    for byte in text.encode():
        told += writer.add(byte)
        if writer.stopped:
            break
        assert not any(stop in told for stop in stops)
    told += writer.rest()
    ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
    if not ends:
        assert (told, writer.stopped_by) == (text, None)
        return
    assert text[len(told) :].startswith(writer.stopped_by or "?")
    # The text is cut at the earliest stop string of those that are whole by then.
    seen = text[: min(ends)]
    assert told == seen[: min(seen.index(stop) for stop in stops if stop in seen)]


@pytest.mark.parametrize("text", ["on the sto", "sts", ""])
def test_beginning_of_a_stop_string_is_told_in_the_end(text: str) -> None:
    writer = Writer(decode, ["stop"])
    told = "".join(writer.add(byte) for byte in text.encode())
    assert told + writer.rest() == text
