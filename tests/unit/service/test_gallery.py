"""Pictures are kept within bounds, found by their names alone, and forgotten in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.errors import InvalidInput, NotFound
from stelae.service.gallery import NAME_BYTES, Gallery
from stelae.types import ImageFormat

PNG = ImageFormat.PNG


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_picture_is_found_by_its_name() -> None:
    gallery = Gallery()
    names = [gallery.put(data, form) for data, form in ((b"a", PNG), (b"b", ImageFormat.WEBP))]
    assert [gallery.get(name).data for name in names] == [b"a", b"b"]
    assert [name.rpartition(".")[2] for name in names] == ["png", "webp"]
    assert gallery.get(names[1]).format is ImageFormat.WEBP


def test_names_are_new_and_too_long_to_guess() -> None:
    gallery = Gallery()
    names = {gallery.put(b"same", PNG) for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) >= 4 * NAME_BYTES / 3 for name in names)


@pytest.mark.parametrize("name", ["", "x", ".png", "../x.png", "\0"])
def test_other_names_find_nothing(name: str) -> None:
    gallery = Gallery()
    gallery.put(b"a", PNG)
    with pytest.raises(NotFound):
        gallery.get(name)


def test_pictures_are_forgotten_in_time() -> None:
    clock = Clock()
    gallery = Gallery(keep_seconds=60, clock=clock)
    name = gallery.put(b"abc", PNG)
    clock.now = 59.0
    assert gallery.left(gallery.get(name)) == 1
    clock.now = 60.0
    with pytest.raises(NotFound, match="kept for 60 s"):
        gallery.get(name)
    assert (len(gallery), gallery.size) == (0, 0)


def test_picture_larger_than_all_room_is_refused_and_the_others_stay() -> None:
    gallery = Gallery(most_bytes=4)
    name = gallery.put(b"abc", PNG)
    with pytest.raises(InvalidInput, match="5 bytes"):
        gallery.put(b"12345", PNG)
    assert gallery.get(name).data == b"abc"


@given(st.lists(st.binary(max_size=10), max_size=30))
def test_room_is_never_overdrawn_and_the_latest_stay(pictures: list[bytes]) -> None:
    gallery = Gallery(most_bytes=20, most=4)
    names = [gallery.put(data, PNG) for data in pictures]
    assert len(gallery) <= 4
    assert gallery.size <= 20
    kept = pictures[len(pictures) - len(gallery) :]
    assert gallery.size == sum(map(len, kept))
    assert [gallery.get(name).data for name in names[len(pictures) - len(gallery) :]] == kept
    if pictures:
        assert gallery.get(names[-1]).data == pictures[-1]
