"""Data URIs are read as RFC 2397 has them."""

from __future__ import annotations

import pytest

from stelae.errors import InvalidInput
from stelae.wire import data_uri


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("data:,A%20brief%20note", b"A brief note"),  # the RFC's own example
        ("data:text/plain;charset=iso-8859-7,%be%fg%be", b"\xbe%fg\xbe"),  # likewise
        ("data:image/png;base64,aGVsbG8=", b"hello"),
        ("DATA:image/png;BASE64,aGVs\n bG8=", b"hello"),
        ("data:image/png;base64,aGVsbG8%3D", b"hello"),
        ("data:image/png;base64,", b""),
    ],
)
def test_content(text: str, content: bytes) -> None:
    assert data_uri.content(text) == content


@pytest.mark.parametrize("text", ["data:image/png;base64", "image/png,a", "", "data:;base64,a!"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"no data URI|does not hold base64"):
        data_uri.content(text)


def test_pictures_are_told_from_other_texts() -> None:
    assert data_uri.is_picture("data:image/gif;base64,R0lG")
    for text in (
        "data:image/gif",
        "data:text/plain,a",
        "the data:image/png,",
        "",
        "data, and so on",
    ):
        assert not data_uri.is_picture(text)
