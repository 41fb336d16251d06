"""Fields and files of requests are read however a client spells and types them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request
from starlette.types import Message

from stelae.dialects.uploads import FIELD_BYTES, Form, asked, plain_name, read_form, stated
from stelae.errors import BodyTooLarge, InvalidInput


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    prompt: str = ""
    n: int | None = None
    guidance: float | None = None
    stream: bool | None = None
    words: list[str] | None = None


async def ask(**sent: Any) -> tuple[Asked, Form]:
    """What is read of a request as a client writes it."""
    written = httpx.Request("POST", "http://x/v1/images/edits", **sent)
    message: Message = {"type": "http.request", "body": written.read()}

    async def receive() -> Message:
        return message

    headers = [(name.lower(), value) for name, value in written.headers.raw]
    return await asked(Request({"type": "http", "headers": headers}, receive), Asked)


FILE = {"image": b"x"}


async def test_json_and_forms_are_read_alike() -> None:
    texts = {"prompt": "a cat", "n": "2", "guidance": "7.5", "stream": "False"}
    fields = {"prompt": "a cat", "n": 2, "guidance": 7.5, "stream": False}
    assert (await ask(data=texts, files=FILE))[0] == (await ask(json=fields))[0] == Asked(**fields)


async def test_fields_with_a_media_type_are_fields() -> None:
    files = {"prompt": (None, b"a cat", "text/plain; charset=utf-8"), "n": (None, b"3")}
    read, form = await ask(files={**files, **FILE})
    assert (read.prompt, read.n, len(form.uploads)) == ("a cat", 3, 1)


async def test_further_fields_stand_in_kwargs_and_extra_body() -> None:
    kwargs = json.dumps({"guidance": 5, "prompt": "another", "unknown": [1]})
    for sent in ({"data": {"prompt": "a cat", "kwargs": kwargs}, "files": FILE},
                 {"json": {"prompt": "a cat", "n": None, "kwargs": kwargs}},
                 {"json": {"prompt": "a cat", "extra_body": json.loads(kwargs)}}):  # fmt: skip
        read, _ = await ask(**sent)
        assert (read.prompt, read.guidance, read.n) == ("a cat", 5.0, None)


async def test_list_that_python_wrote_into_one_field_is_a_list() -> None:
    for text, words in (("['a', 'b-2.c']", ["a", "b-2.c"]), ("['a']", ["a"]), ("['", ["['"])):
        read, _ = await ask(data={"words[]": text}, files=FILE)
        assert read.words == words
        plain, _ = await ask(data={"prompt": text}, files=FILE)
        assert plain.prompt == text


async def test_lists_are_written_with_brackets_or_by_repeating() -> None:
    for name, texts in (("words[]", ["a"]), ("words[]", ["a", "b"]), ("words", ["a", "b", "c"])):
        read, _ = await ask(data={name: texts}, files=FILE)
        assert read.words == texts


async def test_empty_and_null_fields_mean_the_default() -> None:
    read, _ = await ask(data={"n": "", "guidance": "null"}, files=FILE)
    assert read == Asked()


async def test_files_are_found_under_each_spelling() -> None:
    sent = [("image[]", ("../../a.png", b"1")), ("image[]", ("b", b"2")), ("mask", ("m", b"3"))]
    _, form = await ask(data={"prompt": "x"}, files=sent)
    found = form.files("image", "images")
    assert [(file.name, file.data) for file in found] == [("a.png", b"1"), ("b", b"2")]
    assert form.file("mask", "mask_image") == form.uploads[2]
    assert form.file("other") is None
    with pytest.raises(InvalidInput, match="one file was expected, not 2"):
        form.file("image")


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"data": {"n": "two"}, "files": FILE}, "n"),
        ({"data": {"kwargs": "[1]"}, "files": FILE}, "kwargs"),
        ({"data": {"kwargs": "{"}, "files": FILE}, "kwargs"),
        ({"data": {"kwargs": "[" * 100_000}, "files": FILE}, "kwargs"),
        ({"data": {"prompt": b"\xff"}, "files": FILE}, "prompt"),
        ({"json": {"n": "2"}}, "n"),
        ({"json": {"kwargs": 3}}, "kwargs"),
        ({"json": [1]}, None),
        ({"content": b"{"}, None),
        ({"content": b""}, None),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "Content-Type"),
    ],
)
async def test_what_cannot_be_read_is_named(sent: dict[str, Any], param: str | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        await ask(**sent)
    assert caught.value.param == param


async def test_endless_field_is_too_large() -> None:
    with pytest.raises(BodyTooLarge):
        await ask(data={"prompt": "x" * (FIELD_BYTES + 1)}, files=FILE)


def test_part_without_a_file_name_is_a_file_by_its_media_type() -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: audio/wav\r\n\r\n'
        b"RIFF\r\n--B--"
    )
    form = read_form("multipart/form-data; boundary=B", body)
    assert [(file.name, file.data) for file in form.uploads] == [("upload", b"RIFF")]


def test_names_of_files_lose_their_paths_and_what_cannot_be_printed() -> None:
    assert plain_name("../../x") == "x"
    assert plain_name("C:\\dir\\x\r\n.png") == "x.png"
    assert plain_name("..\\..\\") == plain_name(None) == "upload"
    assert len(plain_name("a" * 10_000)) == 255


def test_nothing_given_is_nothing_stated() -> None:
    assert stated({"a": None, "kwargs": "", "extra_body": None}) == {}
