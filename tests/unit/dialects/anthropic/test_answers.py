"""Anthropic's answers, whole and in events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from stelae.dialects import events as events_of_house
from stelae.dialects.anthropic.answers import MessageEvents, Shape, Telling
from stelae.dialects.writing import Gathered
from stelae.types import ChatUsage, Delta, Finish, ToolPiece

READ = ChatUsage(prompt_tokens=9, cached_tokens=4)
USED = ChatUsage(prompt_tokens=9, cached_tokens=4, completion_tokens=3, reasoning_tokens=1)

CALLS = [
    Delta(tool=ToolPiece(index=0, id="c0", name="add")),
    Delta(tool=ToolPiece(index=0, arguments='{"a":')),
    Delta(tool=ToolPiece(index=0, arguments=" 1}")),
    Delta(tool=ToolPiece(index=1, id="c1", name="now")),
]


def events(*pieces: Delta, **shape: bool) -> list[dict[str, Any]]:
    telling = Telling(Shape("m", **{"thoughtful": True, **shape}))
    told = b"".join(telling.tell(piece) for piece in pieces)
    found = []
    for said in told.decode().split("\n\n")[:-1]:
        name, data = said.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert found[-1]["type"] == name.removeprefix("event: ")
    return found


def whole(*pieces: Delta, **shape: bool) -> dict[str, Any]:
    gathered = Gathered(1)
    gathered.add(pieces)
    made = Shape("m", **{"thoughtful": True, **shape}).whole(gathered)
    return {name: getattr(made, name) for name in made.__struct_fields__}


def rebuilt(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of an answer, from its events."""
    blocks: list[dict[str, Any]] = []
    for event in told:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
            assert event["index"] == len(blocks) - 1
        elif event["type"] == "content_block_delta":
            delta = dict(event["delta"])
            delta.pop("type")
            ((field, more),) = delta.items()
            blocks[-1][field] = blocks[-1].get(field, "") + more
    for block in blocks:
        if "partial_json" in block:
            block["input"] = json.loads(block.pop("partial_json"))
    return blocks


ANSWER = [
    Delta(reasoning="hm", read=READ),
    Delta(reasoning=" hm"),
    Delta(text="\n"),
    Delta(text="I"),
    Delta(text=" add."),
    *CALLS,
    Delta(finish=Finish.TOOL_CALLS),
    Delta(usage=USED),
]


def test_events_come_in_the_order_of_the_protocol() -> None:
    told = events(*ANSWER)
    assert [event["type"] for event in told] == [
        "message_start", "ping",
        "content_block_start", *["content_block_delta"] * 3, "content_block_stop",
        "content_block_start", *["content_block_delta"] * 2, "content_block_stop",
        "content_block_start", *["content_block_delta"] * 2, "content_block_stop",
        "content_block_start", "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip


def test_events_and_whole_answers_say_the_same() -> None:
    made = whole(*ANSWER)
    told = events(*ANSWER)
    assert rebuilt(told) == made["content"]
    assert told[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert made["stop_reason"] == "tool_use"
    assert [block["type"] for block in made["content"]] == [
        "thinking", "text", "tool_use", "tool_use",
    ]  # fmt: skip
    assert made["content"][2]["input"] == {"a": 1}


def test_start_tells_what_was_read_and_the_end_what_was_written() -> None:
    told = events(*ANSWER)
    start, end = told[0]["message"]["usage"], told[-2]["usage"]
    assert (start["input_tokens"], start["cache_read_input_tokens"]) == (5, 4)
    assert start["output_tokens"] == 0
    assert (end["input_tokens"], end["output_tokens"]) == (5, 3)
    assert end["output_tokens_details"] == {"thinking_tokens": 1}
    assert told[0]["message"]["content"] == []
    assert told[0]["message"]["stop_reason"] is None


def test_thoughts_nobody_asked_for_are_left_out() -> None:
    told = events(*ANSWER, thoughtful=False)
    assert [block["type"] for block in rebuilt(told)] == ["text", "tool_use", "tool_use"]
    assert whole(*ANSWER, thoughtful=False)["content"] == rebuilt(told)


def test_thoughts_can_be_told_of_without_words() -> None:
    told = rebuilt(events(*ANSWER, quiet=True))
    assert told[0]["thinking"] == ""
    assert told[0]["signature"]
    assert whole(*ANSWER, quiet=True)["content"] == told


def test_blank_text_makes_no_block() -> None:
    blank = [Delta(text="\n", read=READ), Delta(text=" "), *CALLS[:3], Delta(usage=USED)]
    assert [block["type"] for block in rebuilt(events(*blank))] == ["tool_use"]
    assert [block["type"] for block in whole(*blank)["content"]] == ["tool_use"]


def test_answer_of_nothing_has_no_blocks() -> None:
    told = events(Delta(finish=Finish.STOP, read=READ), Delta(usage=USED))
    assert [event["type"] for event in told] == [
        "message_start", "ping", "message_delta", "message_stop",
    ]  # fmt: skip
    assert whole(Delta(finish=Finish.STOP), Delta(usage=USED))["content"] == []


@pytest.mark.parametrize(
    ("piece", "clipped", "reason"),
    [
        (Delta(finish=Finish.STOP), False, ("end_turn", None)),
        (Delta(finish=Finish.STOP, stopped_by="END"), False, ("stop_sequence", "END")),
        (Delta(finish=Finish.LENGTH), False, ("max_tokens", None)),
        (Delta(finish=Finish.LENGTH), True, ("model_context_window_exceeded", None)),
        (Delta(finish=Finish.TOOL_CALLS), False, ("tool_use", None)),
    ],
)
def test_why_an_answer_ends_is_told(
    piece: Delta, clipped: bool, reason: tuple[str, str | None]
) -> None:
    made = whole(piece, Delta(usage=USED), clipped=clipped)
    assert (made["stop_reason"], made["stop_sequence"]) == reason
    end = events(piece, Delta(usage=USED), clipped=clipped)[-2]["delta"]
    assert (end["stop_reason"], end["stop_sequence"]) == reason


async def test_silence_is_filled_with_events_that_clients_pass_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events_of_house, "PING_SECONDS", 0.001)
    heard = asyncio.Event()
    sent: list[bytes] = []

    async def told() -> AsyncGenerator[bytes]:
        await heard.wait()
        yield b"the end"

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))
        if sent[-1]:
            heard.set()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await MessageEvents(told())({"type": "http"}, receive, send)
    assert sent[1] == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert sent[-2] == b"the end"


def test_answer_that_is_not_whole_has_no_end() -> None:
    told = events(Delta(text="a", read=READ), Delta(text="b"))
    assert told[-1]["type"] == "content_block_delta"
