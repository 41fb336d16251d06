"""Texts that have each kind of form."""

from __future__ import annotations

import json
import random
import re

import pytest
from fix_guided import compiler, drawn, plain, tokenizer, view

from stelae.engines.chat.formats.shapes import Mark, Maybe, Raw, Shape, Value, Word
from stelae.engines.chat.structure.grammar import Grammar
from stelae.errors import InvalidInput
from stelae.types import Structure

DRAWS = 20


async def texts(grammar: str) -> set[str]:
    made = [await drawn(grammar, random.Random(seed)) for seed in range(DRAWS)]
    return {said for said in made if said is not None}


@pytest.mark.parametrize(
    "regex",
    [r"[a-c]{2,4}/\d+", r"^(red|blue)-\d{3}$", r"", r"é{3}😀", r"(?i)yes|no", r"\s?[^a-z]{2}"],
)
async def test_text_matches_a_regular_expression(regex: str) -> None:
    made = await texts(plain(Structure(regex=regex)))
    assert made
    assert all(re.fullmatch(regex, said) for said in made)


async def test_text_is_one_of_the_choices() -> None:
    choices = ["a", "ab", 'é😀"\\\n', " a"]
    assert await texts(plain(Structure(choice=choices))) == set(choices)


async def test_text_follows_a_grammar() -> None:
    grammar = 'start: pair ("," pair)*\npair: NAME "=" /[0-9]/\nNAME: /[a-z]{1,3}/'
    made = await texts(plain(Structure(grammar=grammar)))
    assert made
    assert all(re.fullmatch(r"[a-z]{1,3}=\d(,[a-z]{1,3}=\d)*", said) for said in made)


async def test_text_follows_a_grammar_in_ebnf() -> None:
    grammar = """
    # pairs, as llama.cpp's grammars write them
    root   ::= a-pair ("," a-pair)*
    a-pair ::= name "=" [0-9]
    name   ::= [a-z/]{1,3}
    """
    made = await texts(plain(Structure(grammar=grammar)))
    assert made
    assert all(re.fullmatch(r"[a-z/]{1,3}=\d(,[a-z/]{1,3}=\d)*", said) for said in made)


async def test_grammar_that_holds_itself_is_followed() -> None:
    made = await texts(plain(Structure(grammar='start: "(" start ")" | "x"')))
    assert made
    assert all(re.fullmatch(r"(\(*)x(\)*)", said) for said in made)
    assert all(said.count("(") == said.count(")") for said in made)


async def test_any_object_is_one() -> None:
    made = await texts(plain(Structure(json_object=True)))
    assert made
    assert all(isinstance(json.loads(said), dict) for said in made)


async def test_json_has_no_white_space_without_an_end() -> None:
    made = await texts(plain(Structure(json_schema={"const": {"a": [1, 2], "b": 3}})))
    assert {said.replace(" ", "") for said in made} == {'{"a":[1,2],"b":3}'}
    assert not any("  " in said for said in made)


CALL = Shape(
    begin=(),
    calls=(
        (
            Mark("<tool_call>"),
            Word('{"name": "ride", "arguments": '),
            Value({"properties": {"n": {"type": "int"}}, "required": ["n"]}),
            Word("}"),
            Mark("</tool_call>"),
        ),
    ),
    between=(Word("\n"),),
)


async def test_calls_of_tools_fit_their_schemas_and_signs_are_whole_tokens() -> None:
    grammar = Grammar(view())
    one = r'<tool_call>\{"name": "ride", "arguments": \{"n": ?-?\d+\}\}</tool_call>'
    made = await texts(grammar.text(grammar.calls(CALL)))
    assert made
    assert all(re.fullmatch(rf"{one}(\n{one})*", said) for said in made)
    (guide,) = await compiler().guides(lambda _: grammar.text(grammar.calls(CALL)), 1)
    assert guide.allowed().tolist() == [tokenizer().token_to_id("<tool_call>")]


async def test_one_call_alone_is_followed_by_nothing() -> None:
    grammar = Grammar(view())
    shape = Shape(begin=CALL.begin, calls=CALL.calls, between=CALL.between, several=False)
    made = await texts(grammar.text(grammar.calls(shape)))
    assert made
    assert all(said.count("<tool_call>") == 1 for said in made)


@pytest.mark.parametrize(("open_", "close"), [("<think>", "</think>"), ("[t/", "/t]")])
async def test_form_begins_behind_the_thought(open_: str, close: str) -> None:
    grammar = Grammar(view())
    thought = grammar.thought(open_, close, begun=True)
    form = grammar.form(Structure(choice=["yes", "no"]))
    (guide,) = await compiler().guides(lambda _: grammar.text(f"{thought} {form}"), 1)
    for token in tokenizer().encode(f"hm, {close[:-1]} or {close}\n\nyes").ids:
        assert token in guide.allowed().tolist()
        guide.accept(token)
    assert guide.over


async def test_thought_may_be_left_out() -> None:
    grammar = Grammar(view())
    thought = grammar.thought("<think>", "</think>", begun=False)
    form = grammar.form(Structure(choice=["yes"]))
    (guide,) = await compiler().guides(lambda _: grammar.text(f"{thought} {form}"), 1)
    said = [tokenizer().token_to_id("<think>"), *tokenizer().encode("y").ids]
    assert sorted(guide.allowed().tolist()) == sorted(said)


async def test_raw_text_ends_where_the_next_piece_begins() -> None:
    pieces = (Word("<a>"), Raw("</a>"), Word("</a>!"), Maybe((Word("?"),)))
    grammar = Grammar(view())
    text = grammar.text(grammar.calls(Shape(begin=(), calls=(pieces,), several=False)))
    (guide,) = await compiler().guides(lambda _: text, 1)
    for token in tokenizer().encode("<a>x </ a</a>!?").ids:
        assert token in guide.allowed().tolist()
        guide.accept(token)
    assert guide.over


@pytest.mark.parametrize("kind", ["int", "integer", "Integer", "long"])
async def test_foreign_names_of_types_are_put_right_in_tools_alone(kind: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": kind}}, "required": ["n"]}
    grammar = Grammar(view())
    shape = Shape(begin=(), calls=((Value(schema),),), several=False)
    made = await texts(grammar.text(grammar.calls(shape)))
    assert {type(json.loads(said)["n"]) for said in made} == {int}
    if kind != "integer":
        with pytest.raises(InvalidInput, match=f"type: {kind}"):
            await drawn(plain(Structure(json_schema=schema)), random.Random(0))


async def test_words_of_tools_that_are_null_say_nothing() -> None:
    said = {"const": None, "description": None, "minimum": None}
    schema = {"type": "object", "properties": {"n": said}, "required": ["n"], "$defs": None}
    loose = {"type": "object", "properties": None, "required": None, "items": None}
    grammar = Grammar(view())
    for given, fits in ((schema, {"n": None}), (loose, {})):
        shape = Shape(begin=(), calls=((Value(given),),), several=False)
        made = await texts(grammar.text(grammar.calls(shape)))
        assert all(json.loads(text).items() >= fits.items() for text in made)


async def test_grammar_whose_texts_look_like_ebnf_is_none() -> None:
    assert await texts(plain(Structure(grammar='start: "a ::= b"'))) == {"a ::= b"}
