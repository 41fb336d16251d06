"""Calls as each format writes them are found again, in whatever pieces the text comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fix_calls import BARE, WRITERS, Use, found
from hypothesis import given, settings
from hypothesis import strategies as st

from stelae.catalog import speaking
from stelae.engines.chat.formats.shapes import Tool
from stelae.engines.chat.formats.table import FORMATS

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="<>|`[]")
TEXTS = st.text(LETTERS, max_size=12)
KEYS = st.from_regex(r"[a-z][a-z_0-9]{0,6}", fullmatch=True)
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6).filter(lambda x: x != int(x))
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["look_up", "ride", "get_weather", "a"])
USES = st.lists(st.tuples(NAMES, st.dictionaries(KEYS, VALUES, max_size=4)), min_size=1, max_size=3)

KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null",
         list: "array", dict: "object"}  # fmt: skip


def tools_for(uses: list[Use]) -> list[Tool]:
    """Tools of these names, with the kinds of these arguments."""
    made: dict[str, dict[str, Any]] = {}
    for name, arguments in uses:
        properties = made.setdefault(name, {})
        for key, value in arguments.items():
            kinds = properties.setdefault(key, {"type": []})["type"]
            kinds.append(KINDS[type(value)])
    for properties in made.values():
        for schema in properties.values():
            schema["type"] = schema["type"][0] if len(schema["type"]) == 1 else schema["type"]
    return [
        Tool(name, {"type": "object", "properties": properties})
        for name, properties in made.items()
    ]


def test_every_format_that_is_told_apart_can_be_read() -> None:
    assert set(FORMATS) == speaking.FORMATS == set(WRITERS)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=12)
@given(uses=USES, data=st.data())
def test_calls_come_back(name: str, uses: list[Use], data: st.DataObject) -> None:
    text = WRITERS[name](uses)
    tools = tools_for(uses)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    for given_in in ([text], list(text), pieces):
        said, calls = found(name, given_in, tools)
        assert said == ""
        assert all(call.whole for call in calls)
        assert [(call.name, call.arguments) for call in calls] == uses


@pytest.mark.parametrize("name", sorted(set(WRITERS) - BARE))
@settings(max_examples=12)
@given(uses=USES, before=TEXTS, after=TEXTS)
def test_text_around_calls_is_text(name: str, uses: list[Use], before: str, after: str) -> None:
    text = f"{before}\n{WRITERS[name](uses)}\n {after}"
    said, calls = found(name, list(text), tools_for(uses))
    assert said == before.rstrip() + after.lstrip()
    assert [(call.name, call.arguments) for call in calls] == uses


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=12)
@given(uses=USES, data=st.data())
def test_a_text_that_breaks_off_anywhere_loses_no_call_before(
    name: str, uses: list[Use], data: st.DataObject
) -> None:
    text = WRITERS[name](uses)
    cut = data.draw(st.integers(0, len(text)))
    tools = tools_for(uses)
    said, calls = found(name, list(text[:cut]), tools)
    assert (said, calls) == _merged(found(name, [text[:cut]], tools), calls)
    whole = [(call.name, call.arguments) for call in calls if call.whole]
    assert whole == uses[: len(whole)]


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=12)
@given(text=st.text(alphabet=st.sampled_from('<>/|[]{}()":,`\n atool_c'), max_size=60))
def test_what_is_no_call_stays_word_for_word(name: str, text: str) -> None:
    said, calls = found(name, list(text), [])
    assert calls == []
    assert said == text


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=12)
@given(uses=USES, noise=st.text(max_size=8), data=st.data())
def test_spoilt_texts_raise_nothing_and_do_not_depend_on_pieces(
    name: str, uses: list[Use], noise: str, data: st.DataObject
) -> None:
    text = WRITERS[name](uses)
    place = data.draw(st.integers(0, len(text)))
    spoilt = text[:place] + noise + text[place + data.draw(st.integers(0, 3)) :]
    tools = tools_for(uses)
    said, calls = found(name, list(spoilt), tools)
    assert (said, calls) == _merged(found(name, [spoilt], tools), calls)
    for call in calls:
        if call.whole:
            assert isinstance(json.loads("".join(call.pieces)), dict)


def _merged(one: tuple[str, list[Any]], other: list[Any]) -> tuple[str, list[Any]]:
    """The same with pieces cut as in another reading, if they join to the same arguments."""
    for call, theirs in zip(one[1], other, strict=True):
        if "".join(call.pieces) == "".join(theirs.pieces):
            call.pieces = theirs.pieces
    return one
