"""What a form of tool calls allows is read as calls again, in every format."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest
from fix_guided import drawn, view

from stelae.engines.chat.formats.shapes import Tool
from stelae.engines.chat.formats.table import FORMATS
from stelae.engines.chat.formats.tape import Argued, Called, Tape
from stelae.engines.chat.structure.grammar import Grammar

RIDE = Tool("ride", {
    "type": "object",
    "properties": {
        "loc": {"type": "int"},
        "kind": {"type": "string", "enum": ["plus", "comfort"]},
        "when": {"$ref": "#/$defs/when"},
    },
    "required": ["loc", "kind"],
    "$defs": {
        "when": {"type": "object", "properties": {"day": {"type": "boolean"}}, "required": ["day"]},
    },
})  # fmt: skip
LOOK = Tool("look", {"type": "object", "properties": {}})
MEANT = {
    **RIDE.schema,
    "properties": {**RIDE.schema["properties"], "loc": {"type": "integer"}},
}


def read(name: str, said: str, tools: Sequence[Tool]) -> list[tuple[str, Any]]:
    tape = Tape()
    tape.give(said)
    tape.over = True
    for _ in FORMATS[name].read(tape, tools):
        pass
    calls: list[tuple[str, str]] = []
    for found in tape.found:
        if isinstance(found, Called):
            calls.append((found.name, ""))
        elif isinstance(found, Argued):
            calls[-1] = (calls[-1][0], calls[-1][1] + found.text)
    return [(tool, json.loads(arguments)) for tool, arguments in calls]


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("name", FORMATS)
async def test_calls_are_read_as_written(name: str, several: bool) -> None:
    tools = [RIDE, LOOK]
    grammar = Grammar(view())
    text = grammar.text(grammar.calls(FORMATS[name].shape(tools, several)))
    seen = set()
    for seed in range(12):
        said = await drawn(text, random.Random(seed), 0.7)
        assert said is not None
        calls = read(name, said, tools)
        assert len(calls) >= 1 if several else len(calls) == 1, said
        for tool, arguments in calls:
            seen.add(tool)
            jsonschema.validate(arguments, MEANT if tool == "ride" else LOOK.schema)
    assert seen == {"ride", "look"}
