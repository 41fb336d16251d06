"""Texts of any engine are read: calls, thought, and why the text ends."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from fix_calls import BARE, WRITERS
from msgspec.structs import replace

from stelae.catalog.spec import Generation
from stelae.engines.base import EngineInfo, StreamEngine, StreamStats
from stelae.engines.chat.formats.table import marks_of
from stelae.engines.chat.reading import Reading
from stelae.types import (
    ChatCall,
    ChatUsage,
    Delta,
    Finish,
    Message,
    NamedTool,
    Speaker,
    TextPart,
    TokenLogprob,
    ToolPiece,
)

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"to": {"type": "string"}}},
        },
    }
    for name in ("ride", "look_up")
]
USES: list[tuple[str, dict[str, Any]]] = [("ride", {"to": 'A {b} "c"'}), ("look_up", {})]
THINK = ("<think>", "</think>")
PLAIN = Generation(
    template="{% for m in messages %}{{ m.content }}{% endfor %}{{ tools }}", ends=()
)


class Script:
    """Writes given texts, a letter for each token."""

    def __init__(self, *texts: str, finish: Finish = Finish.STOP, **more: Any) -> None:
        self.texts, self.finish, self.more = texts, finish, more
        self.written = 0
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(fingerprint="script", dtype="float32", device="cpu")

    @property
    def stats(self) -> StreamStats:
        return StreamStats(tokens=self.written)

    async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
        if call.count_only:
            yield [Delta(usage=ChatUsage(prompt_tokens=7))]
            return
        for index, text in enumerate(self.texts):
            for letter in text:
                self.written += 1
                told = [TokenLogprob(token=letter, id=ord(letter), logprob=0.0)]
                yield [Delta(index=index, text=letter, tokens=[ord(letter)], logprobs=told)]
            yield [Delta(index=index, finish=self.finish, **self.more)]
        usage = ChatUsage(prompt_tokens=7, completion_tokens=self.written, cached_tokens=2)
        yield [Delta(usage=usage)]

    async def aclose(self) -> None:
        self.closed = True


def asked(**more: Any) -> ChatCall:
    said = [Message(role=Speaker.USER, content=[TextPart(text="hi")])]
    return ChatCall(model="m", **({"messages": said, "tools": TOOLS} | more))


async def read(engine: StreamEngine[ChatCall, Delta], call: ChatCall, **how: Any) -> list[Delta]:
    reading = Reading(engine, replace(PLAIN, **how))
    return [delta async for made in reading.stream(call) for delta in made]


def text(deltas: Sequence[Delta], index: int = 0) -> str:
    return "".join(delta.text for delta in deltas if delta.index == index)


def thought(deltas: Sequence[Delta]) -> str:
    return "".join(delta.reasoning for delta in deltas)


def finish(deltas: Sequence[Delta], index: int = 0) -> Finish | None:
    (last,) = [d.finish for d in deltas if d.index == index and d.finish is not None]
    return last


def uses(deltas: Sequence[Delta], index: int = 0) -> list[tuple[str, Any]]:
    """Calls, with what joins the pieces of their arguments."""
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    for delta in deltas:
        if delta.index == index and (piece := delta.tool) is not None:
            if piece.id is not None:
                assert re.fullmatch("call_[0-9a-f]{24}", piece.id)
                assert piece.index == len(names)
                names[piece.index] = piece.name or ""
            arguments[piece.index] = arguments.get(piece.index, "") + piece.arguments
    return [(names[i], json.loads(arguments[i])) for i in sorted(names)]


@pytest.mark.parametrize("name", sorted(WRITERS))
async def test_calls_of_every_format_are_told_in_pieces(name: str) -> None:
    before = "" if name in BARE else "I will.\n"
    deltas = await read(Script(before + WRITERS[name](USES)), asked(), tools=name)
    assert text(deltas) == before.rstrip()
    assert uses(deltas) == USES
    assert finish(deltas) is Finish.TOOL_CALLS


async def test_arguments_are_passed_on_as_they_grow() -> None:
    deltas = await read(Script(WRITERS["hermes"](USES[:1])), asked(), tools="hermes")
    pieces = [delta.tool.arguments for delta in deltas if delta.tool]
    assert len(pieces) > 10


async def test_tokens_and_their_chances_all_come_through_in_order() -> None:
    said = "<think>x</think>a <tool_call>" + WRITERS["hermes"](USES)
    deltas = await read(Script(said), asked(), tools="hermes", reasoning=THINK)
    assert [token for delta in deltas for token in delta.tokens] == [ord(letter) for letter in said]
    assert "".join(told.token for delta in deltas for told in delta.logprobs) == said


async def test_a_text_without_calls_ends_as_it_did() -> None:
    deltas = await read(Script("just <tool_call> words "), asked(), tools="hermes")
    assert text(deltas) == "just <tool_call> words "
    assert finish(deltas) is Finish.STOP


async def test_a_text_cut_in_a_call_ends_by_its_length() -> None:
    script = Script(WRITERS["hermes"](USES)[:-30], finish=Finish.LENGTH)
    deltas = await read(script, asked(), tools="hermes")
    assert finish(deltas) is Finish.LENGTH


async def test_a_text_ended_by_a_stop_string_says_so() -> None:
    script = Script(WRITERS["hermes"](USES), stopped_by="!")
    deltas = await read(script, asked(), tools="hermes")
    assert finish(deltas) is Finish.STOP
    assert [d.stopped_by for d in deltas if d.finish] == ["!"]


@pytest.mark.parametrize("more", [{"tools": []}, {"tool_choice": "none"}])
async def test_without_tools_no_call_is_read(more: dict[str, Any]) -> None:
    said = WRITERS["hermes"](USES)
    deltas = await read(Script(said), asked(**more), tools="hermes")
    assert text(deltas) == said
    assert finish(deltas) is Finish.STOP


async def test_a_plain_prompt_is_passed_on_as_it_is() -> None:
    said = "<think>x</think>" + WRITERS["hermes"](USES)
    call = asked(messages=[], prompt="go on")
    deltas = await read(Script(said), call, tools="hermes", reasoning=THINK)
    assert text(deltas) == said


async def test_one_call_only_ends_the_work() -> None:
    script = Script(WRITERS["hermes"](USES) + "x" * 1000)
    deltas = await read(script, asked(parallel_tool_calls=False), tools="hermes")
    assert uses(deltas) == USES[:1]
    assert finish(deltas) is Finish.TOOL_CALLS
    assert script.written < len(WRITERS["hermes"](USES))
    usage = deltas[-1].usage
    assert usage == ChatUsage(prompt_tokens=7, completion_tokens=script.written)


async def test_an_engine_that_told_its_reading_is_not_asked_again() -> None:
    told = ChatUsage(prompt_tokens=9, cached_tokens=4)

    class Telling(Script):
        async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
            yield [Delta(read=told)]
            async for made in super().stream(call):
                yield made

    script = Telling(WRITERS["hermes"](USES))
    deltas = await read(script, asked(parallel_tool_calls=False), tools="hermes")
    assert deltas[0].read == told
    assert deltas[-1].usage == replace(told, completion_tokens=script.written)


async def test_each_text_is_read_for_itself() -> None:
    script = Script("words", WRITERS["hermes"](USES[:1]))
    deltas = await read(script, asked(n=2, parallel_tool_calls=False), tools="hermes")
    assert (text(deltas), finish(deltas)) == ("words", Finish.STOP)
    assert (uses(deltas, 1), finish(deltas, 1)) == (USES[:1], Finish.TOOL_CALLS)


async def test_a_named_tool_is_read_by_that_name_alone_where_calls_stand_bare() -> None:
    call = asked(tool_choice=NamedTool(name="ride"))
    for use, found in zip(USES, (USES[:1], []), strict=True):
        assert uses(await read(Script(WRITERS["llama"]([use])), call, tools="llama")) == found


# -- thought ---------------------------------------------------------------------------------


async def test_thought_is_told_apart_and_counted() -> None:
    deltas = await read(Script("<think>\nso\n</think>\n\nyes"), asked(), reasoning=THINK)
    assert (thought(deltas), text(deltas)) == ("so", "yes")
    usage = deltas[-1].usage
    assert usage is not None
    assert len("\nso\n</think>") <= usage.reasoning_tokens <= len("<think>\nso\n</think>")
    assert (usage.prompt_tokens, usage.cached_tokens) == (7, 2)


async def test_thought_that_the_template_opens_goes_on_in_the_text() -> None:
    opened = PLAIN.template + "<think>\n"
    said = "so\n</think>\n\nyes"
    deltas = await read(Script(said), asked(), reasoning=THINK, template=opened)
    assert (thought(deltas), text(deltas)) == ("so", "yes")


async def test_thought_that_never_ends_is_all_there_is() -> None:
    opened = PLAIN.template + "<think>\n"
    script = Script("so so", finish=Finish.LENGTH)
    deltas = await read(script, asked(), reasoning=THINK, template=opened)
    assert (thought(deltas), text(deltas), finish(deltas)) == ("so so", "", Finish.LENGTH)


async def test_calls_follow_thought_and_those_thought_of_are_none() -> None:
    said = f"<think>maybe {WRITERS['hermes'](USES)}</think>\n\n{WRITERS['hermes'](USES[:1])}"
    deltas = await read(Script(said), asked(), tools="hermes", reasoning=THINK)
    assert uses(deltas) == USES[:1]
    assert thought(deltas) == f"maybe {WRITERS['hermes'](USES)}"
    assert text(deltas) == ""


@pytest.mark.parametrize("said", ["a <think>b</think>", " <thing> x", "<think", "", "  "])
async def test_marks_that_do_not_begin_the_text_are_text(said: str) -> None:
    deltas = await read(Script(said), asked(tools=[]), reasoning=THINK)
    assert (thought(deltas), text(deltas)) == ("", said)


async def test_what_an_engine_reads_itself_is_passed_on() -> None:
    pieces = [
        Delta(reasoning="so", tokens=[1, 2]),
        Delta(tool=ToolPiece(index=0, id="c", name="ride", arguments="{}"), tokens=[3]),
        Delta(finish=Finish.TOOL_CALLS),
    ]

    class Separating(Script):
        async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
            for piece in pieces:
                yield [piece]
            yield [Delta(usage=ChatUsage(prompt_tokens=7, completion_tokens=3))]

    *deltas, last = await read(Separating(), asked(), tools="hermes", reasoning=THINK)
    assert deltas == pieces
    assert last.usage == ChatUsage(prompt_tokens=7, completion_tokens=3, reasoning_tokens=2)


@pytest.mark.parametrize("said", ["<tool_call>", "Hello", "<think>"])
async def test_tokens_of_the_conversation_are_told_first(said: str) -> None:
    before = ChatUsage(prompt_tokens=7)

    class Counting(Script):
        async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
            yield [Delta(text=said, read=before)]
            yield [Delta(finish=Finish.STOP, usage=before)]

    first, *others = await read(Counting(), asked(), tools="hermes", reasoning=THINK)
    assert first.read == before
    assert not any(delta.read for delta in others)


async def test_closing_closes_the_engine() -> None:
    script = Script()
    await Reading(script, PLAIN).aclose()
    assert script.closed


def test_signs_within_the_marks_of_thought_are_kept() -> None:
    marks = ("<|channel>thought\n", "<channel|>")
    assert marks_of(replace(PLAIN, reasoning=marks)) >= {"<|channel>", "<channel|>"}
