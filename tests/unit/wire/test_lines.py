from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.wire.lines import Lines


def cut(*parts: bytes) -> list[bytes]:
    lines = Lines()
    return [line for part in parts for line in lines.add(part)]


@given(parts=st.lists(st.text(st.sampled_from("ab\n\r\u2028\x85"), max_size=6), max_size=8))
def test_lines_are_the_same_wherever_the_body_is_cut(parts: list[str]) -> None:
    body = "".join(parts).encode()
    assert cut(*(part.encode() for part in parts)) == body.split(b"\n")[:-1]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_line_feeds_alone_end_lines(sign: str) -> None:
    line = f"a{sign}b".encode()
    assert cut(line + b"\n", line) == [line]


def test_long_line_comes_once_it_is_whole() -> None:
    assert cut(*[b"a" * 1000] * 1000, b"\n\nb\n") == [b"a" * 1_000_000, b"", b"b"]
