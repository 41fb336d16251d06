"""What the shape of a format allows is read as calls."""

from __future__ import annotations

from typing import Any

import pytest
from fix_calls import found
from hypothesis import given, settings
from hypothesis import strategies as st

from stelae.engines.chat.formats.examples import example, written_calls
from stelae.engines.chat.formats.shapes import Either, Maybe, Raw, Shape, Tool, Value
from stelae.engines.chat.formats.table import FORMATS

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="<>|`[]")
VALUES = st.text(LETTERS, max_size=9) | st.integers() | st.booleans() | st.lists(st.integers())
USE = st.tuples(
    st.sampled_from(["ride", "look_up"]),
    st.dictionaries(st.sampled_from(["to", "seats", "shared"]), VALUES),
)
SCHEMA = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "seats": {"type": "integer"}},
    "required": ["seats"],
}


def tool_for(name: str, arguments: dict[str, Any]) -> Tool:
    """A tool whose arguments that are texts are declared as such."""
    texts = {k: {"type": "string"} for k, v in arguments.items() if isinstance(v, str)}
    others = {k: {"type": ["array", "integer", "boolean"]} for k in arguments if k not in texts}
    return Tool(name, {"type": "object", "properties": texts | others})


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25)
@given(use=USE)
def test_calls_that_we_write_are_read(name: str, use: tuple[str, dict[str, Any]]) -> None:
    said, calls = found(name, [written_calls(FORMATS[name], [use])], [tool_for(*use)])
    assert said.strip() == ""
    assert [(call.name, call.arguments, call.whole) for call in calls] == [(*use, True)]


@pytest.mark.parametrize("name", FORMATS)
def test_the_example_shown_to_models_is_a_call(name: str) -> None:
    _, (call,) = found(name, [example(FORMATS[name])], [Tool("NAME", {})])
    assert (call.name, call.arguments) == ("NAME", {"ARGUMENT": "VALUE"})


@pytest.mark.parametrize("name", FORMATS)
def test_one_call_has_a_shape_without_several(name: str) -> None:
    tools = [Tool("ride", SCHEMA), Tool("stop", {"type": "object"})]
    shape = FORMATS[name].shape(tools, False)
    assert len(shape.calls) == 2
    assert not shape.several


@pytest.mark.parametrize("name", FORMATS)
def test_optional_arguments_may_be_left_out_of_the_shape(name: str) -> None:
    least = "".join(_least(FORMATS[name].shape([Tool("ride", SCHEMA)], False)))
    _, (call,) = found(name, [least], [Tool("ride", SCHEMA)])
    assert call.arguments == {"seats": 1}


def _least(shape: Shape) -> list[str]:
    """The shortest text of a shape, with 1 for every number."""
    made: list[str] = []
    for piece in (*shape.begin, *shape.calls[0], *shape.end):
        match piece:
            case Value(schema=schema):
                made.append('{"seats": 1}' if schema == SCHEMA else "1")
            case Maybe() | Raw() | Either():
                continue
            case _:
                made.append(piece.text)
    return made
