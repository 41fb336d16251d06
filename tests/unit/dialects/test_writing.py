"""What the protocols of text share."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator

import pytest

from stelae.dialects.writing import arguments, base64_picture, gather, new_id, picture
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher, FetchRules
from stelae.types import ChatUsage, Delta, Finish, TokenLogprob, ToolPiece

PNG = b"\x89PNG\r\n\x1a\n and more"


async def said(*pieces: Delta) -> AsyncGenerator[list[Delta]]:
    for piece in pieces:
        yield [piece]


def lp(token: str) -> TokenLogprob:
    return TokenLogprob(token=token, id=1, logprob=-0.5)


async def test_pieces_are_put_together_by_index() -> None:
    made = await gather(
        said(
            Delta(index=1, text="b", tokens=[7]),
            Delta(index=0, reasoning="hm"),
            Delta(index=0, text="a", logprobs=[lp("a")]),
            Delta(index=0, text="A", logprobs=[lp("A")], finish=Finish.LENGTH),
            Delta(index=1, text="B", tokens=[8], finish=Finish.STOP, stopped_by="END"),
            Delta(usage=ChatUsage(prompt_tokens=3, completion_tokens=4)),
        ),
        2,
    )
    first, second = made.texts
    assert (first.reasoning, first.text, first.finish) == ("hm", "aA", Finish.LENGTH)
    assert [told.token for told in first.logprobs] == ["a", "A"]
    assert (second.text, second.tokens, second.stopped_by) == ("bB", [7, 8], "END")
    assert made.usage.total_tokens == 7


async def test_calls_of_tools_are_put_together_by_index() -> None:
    made = await gather(
        said(
            Delta(tool=ToolPiece(index=0, id="c1", name="add")),
            Delta(tool=ToolPiece(index=0, arguments='{"a":')),
            Delta(tool=ToolPiece(index=1, id="c2", name="now")),
            Delta(tool=ToolPiece(index=0, arguments=" 1}")),
            Delta(finish=Finish.TOOL_CALLS, usage=ChatUsage()),
        ),
        1,
    )
    add, now = made.texts[0].calls
    assert (add.id, add.name, add.arguments, add.fields) == ("c1", "add", '{"a": 1}', {"a": 1})
    assert (now.id, now.name, now.fields) == ("c2", "now", {})
    assert made.texts[0].finish is Finish.TOOL_CALLS


async def test_arguments_that_were_cut_off_are_kept_as_text() -> None:
    cut = Delta(tool=ToolPiece(index=0, id="c", name="add", arguments='{"a"'))
    made = await gather(said(cut), 1)
    assert made.texts[0].calls[0].fields == {"raw": '{"a"'}


@pytest.mark.parametrize("text", ["[1]", "{", "1", "x", "\ud800", "[" * 100_000])
def test_arguments_that_are_no_object_are_refused_with_their_place(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"messages\[3\]") as caught:
        arguments(text, "messages[3]")
    assert caught.value.param == "messages[3]"


def test_no_arguments_are_an_empty_object() -> None:
    assert arguments("", "x") == {}
    assert arguments('{"a": [1]}', "x") == {"a": [1]}


async def test_picture_is_read_from_a_data_uri_or_base64() -> None:
    text = base64.b64encode(PNG).decode()
    assert await picture(Fetcher(), f"data:image/png;base64,{text}", "x") == PNG
    assert base64_picture(Fetcher(), text, "x") == PNG


@pytest.mark.parametrize(
    "address", ["/etc/passwd", "file:///etc/passwd", "ftp://a/b", "", "http://localhost/x.png"]
)
async def test_picture_elsewhere_is_refused_with_its_place(address: str) -> None:
    with pytest.raises(InvalidInput, match=r"messages\[0\]") as caught:
        await picture(Fetcher(), address, "messages[0].content[1]")
    assert caught.value.param == "messages[0].content[1]"


def test_picture_that_is_no_base64_or_too_large_is_refused() -> None:
    for text, rules in (("*", FetchRules()), ("AAAAAAAA", FetchRules(most_bytes=2))):
        with pytest.raises(InvalidInput) as caught:
            base64_picture(Fetcher(rules), text, "images[0]")
        assert caught.value.param == "images[0]"


def test_names_differ() -> None:
    made = {new_id("call_") for _ in range(1000)}
    assert len(made) == 1000
    assert all(name.startswith("call_") for name in made)
