from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from stelae.dialects.items import sent_file, told_items
from stelae.dialects.uploads import Upload
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import Item

FILE = b"\x89PNG"
CODED = b64encode(FILE).decode()
URI = f"data:image/png;base64,{CODED}"


@pytest.mark.parametrize(
    ("told", "item"),
    [
        ({"text": "a"}, Item(text="a")),
        ({"text": "a", "image": None}, Item(text="a")),
        ({"image": CODED}, Item(image=FILE)),
        ({"image": URI}, Item(image=FILE)),
        ({"image": {"url": URI}}, Item(image=FILE)),
        ({"audio": URI}, Item(audio=FILE)),
        ({"type": "text", "text": "a"}, Item(text="a")),
        ({"type": "image_url", "image_url": {"url": URI}}, Item(image=FILE)),
        (
            {"type": "input_audio", "input_audio": {"data": CODED, "format": "wav"}},
            Item(audio=FILE),
        ),
        ({"role": "user", "content": "a"}, Item(text="a")),
        ({"role": "user", "content": [{"type": "text", "text": "a"}]}, Item(text="a")),
        ({"content": [{"role": "user", "content": {"image": URI}}]}, Item(image=FILE)),
    ],
)
async def test_object_tells_an_item_in_the_words_of_any_protocol(
    told: dict[str, Any], item: Item
) -> None:
    assert await told_items(told, Fetcher()) == {0: item}


async def test_objects_stand_between_texts() -> None:
    given = ["a", {"text": "b"}, "c", {"image": URI}]
    assert await told_items(given, Fetcher()) == {1: Item(text="b"), 3: Item(image=FILE)}
    for plain in ("a", ["a", "b"], [1, 2], [[1]]):
        assert await told_items(plain, Fetcher()) == {}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, r"input\[1\] has 0 of text, image and audio"),
        ({"text": "a", "image": URI}, "has 2 of text, image and audio"),
        ({"content": [{"text": "a"}, {"text": "b"}]}, "has 2 of text"),
        ({"content": ["a"]}, "an object with text"),
        ({"video": "a"}, "no model here reads videos"),
        ({"text": 1}, "a text was expected"),
        ({"image": 1}, "a file is base64"),
        ({"image": {"a": 1}}, "a file is base64"),
        ({"image": "not base64!"}, r"input\[1\].image: .*base64"),
        ({"image": "http://example.com/a.png"}, "fetch"),
        ({"image": "/etc/passwd"}, r"input\[1\].image"),
    ],
)
async def test_object_that_tells_no_item_is_refused_by_its_place(
    told: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        await told_items(["a", told], Fetcher())
    assert str(caught.value.param).startswith("input[1]")


async def test_messages_within_each_other_end_somewhere() -> None:
    told: dict[str, Any] = {"text": "a"}
    for _ in range(10_000):
        told = {"content": told}
    with pytest.raises(InvalidInput, match="an object with text"):
        await told_items(told, Fetcher())


async def test_address_in_place_of_a_file_is_read() -> None:
    read = [await sent_file(Upload("image", "a", data), Fetcher()) for data in (FILE, URI.encode())]
    assert read == [FILE, FILE]
    with pytest.raises(InvalidInput, match="fetch"):
        await sent_file(Upload("image", "a", b"http://127.0.0.1/a.png"), Fetcher())
