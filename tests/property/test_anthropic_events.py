"""In whatever pieces an answer comes, Anthropic's events are well formed and lose nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stelae.dialects.anthropic.answers import Shape, Telling
from stelae.dialects.writing import Gathered
from stelae.types import ChatUsage, Delta, Finish, ToolPiece

WORDS = st.text("ab \n\u00e9\U0001f600", max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> list[Delta]:
    """Pieces of thought, text and calls, in any order; the pieces of one call follow each other."""
    pieces: list[Delta] = []
    calls = 0
    for kind in draw(st.lists(st.sampled_from("rtc"), max_size=8)):
        if kind == "c":
            arguments = json.dumps({"a": draw(WORDS)})
            cut = draw(st.integers(0, len(arguments)))
            name = ToolPiece(index=calls, id=f"c{calls}", name="add", arguments=arguments[:cut])
            pieces += [
                Delta(tool=name),
                Delta(tool=ToolPiece(index=calls, arguments=arguments[cut:])),
            ]
            calls += 1
        else:
            said = draw(WORDS)
            pieces.append(Delta(text=said) if kind == "t" else Delta(reasoning=said))
    return [*pieces, Delta(finish=draw(st.sampled_from(Finish))), Delta(usage=ChatUsage())]


def events(shape: Shape, pieces: list[Delta]) -> list[dict[str, Any]]:
    telling = Telling(shape)
    told = b"".join(telling.tell(piece) for piece in pieces).decode()
    return [json.loads(each.split("data: ", 1)[1]) for each in told.split("\n\n")[:-1]]


def visible(text: str) -> str:
    """A text without its blanks, of which some are not told."""
    return "".join(text.split())


@given(answers(), st.booleans())
def test_blocks_follow_each_other_and_hold_all_that_was_said(
    pieces: list[Delta], thoughtful: bool
) -> None:
    shape = Shape("m", thoughtful=thoughtful)
    told = events(shape, pieces)
    assert [event["type"] for event in told[:2]] == ["message_start", "ping"]
    assert [event["type"] for event in told[-2:]] == ["message_delta", "message_stop"]
    blocks: list[dict[str, Any]] = []
    opened = False
    for event in told[2:-2]:
        assert event["index"] == len(blocks) - (event["type"] != "content_block_start")
        if event["type"] == "content_block_start":
            assert not opened
            opened = True
            blocks.append({**event["content_block"], "partial_json": ""})
        elif event["type"] == "content_block_stop":
            assert opened
            opened = False
        else:
            assert opened
            _, (field, more) = event["delta"].items()
            blocks[-1][field] += more
    assert not opened
    gathered = Gathered(1)
    gathered.add(pieces)
    whole = shape.whole(gathered)
    for kind in ("text", "thinking"):
        streamed = "".join(block[kind] for block in blocks if block["type"] == kind)
        stated = "".join(block[kind] for block in whole.content if block["type"] == kind)
        assert visible(streamed) == visible(stated)
    uses = [json.loads(block["partial_json"]) for block in blocks if block["type"] == "tool_use"]
    assert uses == [block["input"] for block in whole.content if block["type"] == "tool_use"]
    assert told[-2]["delta"]["stop_reason"] == whole.stop_reason
