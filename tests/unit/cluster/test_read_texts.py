"""What a model writes arrives read: thought, words and calls of tools, across processes too."""

from __future__ import annotations

import json

import pytest

from stelae.catalog.spec import Backbone, Generation, ModelSpec, Source
from stelae.cluster.deployment import Deployment
from stelae.cluster.process import ProcessReplica
from stelae.cluster.thread import ThreadReplica
from stelae.types import ChatCall, Delta, Finish, Message, Speaker, TextPart

CALL = '<tool_call>\n{"name": "ride", "arguments": {"to": "the sea"}}\n</tool_call>'
TOOLS = [{"type": "function", "function": {"name": "ride", "parameters": {}}}]


def deployment() -> Deployment:
    spec = ModelSpec(
        name="fake",
        source=Source(kind="folder", location="fake"),
        folder="fake",
        backbone=Backbone(folder="", architecture="", config={}, weights=()),
        generation=Generation(
            template="{{ tools }}", ends=(), tools="hermes", reasoning=("<think>", "</think>")
        ),
        max_tokens=256,
    )
    return Deployment(name="fake", spec=spec, engine="fake_text")


@pytest.mark.parametrize("kind", [ProcessReplica, ThreadReplica])
async def test_an_echo_of_thought_and_calls_is_read(
    kind: type[ProcessReplica | ThreadReplica],
) -> None:
    text = f"<think> a b </think> I will go. {CALL} {CALL}"
    said = [Message(role=Speaker.USER, content=[TextPart(text=text)])]
    replica = kind(deployment())
    await replica.start()
    try:
        stream = replica.stream(ChatCall(model="fake", messages=said, tools=TOOLS))
        deltas = [delta async for made in stream for delta in made]
    finally:
        await replica.stop(0.0)
    assert "".join(delta.reasoning for delta in deltas) == "a b"
    assert "".join(delta.text for delta in deltas) == "I will go."
    assert calls(deltas) == [("ride", {"to": "the sea"})] * 2
    assert [d.finish for d in deltas if d.finish] == [Finish.TOOL_CALLS]
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.reasoning_tokens == 4


def calls(deltas: list[Delta]) -> list[tuple[str | None, object]]:
    pieces = [delta.tool for delta in deltas if delta.tool is not None]
    names = {piece.index: piece.name for piece in pieces if piece.id is not None}
    return [
        (name, json.loads("".join(p.arguments for p in pieces if p.index == index)))
        for index, name in names.items()
    ]
