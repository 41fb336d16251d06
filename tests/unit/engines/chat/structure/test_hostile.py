"""Forms made to do harm, or that cannot be kept to: refused by name, or bounded."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from fix_guided import compiler, drawn, plain, view

from stelae.engines.chat.formats.shapes import Shape, Value
from stelae.engines.chat.structure.compiler import KEPT
from stelae.engines.chat.structure.grammar import Grammar
from stelae.errors import InvalidInput
from stelae.types import Structure

Schema = dict[str, Any]


def nested(levels: int, word: str = "items") -> Schema:
    made: Schema = {"type": "integer"}
    for _ in range(levels):
        made = {"type": "array", "items": made} if word == "items" else {word: [made]}
    return made


def chained(count: int, word: str) -> Schema:
    """Definitions each of which needs the next."""
    links = {f"a{i}": {word: [{"$ref": f"#/$defs/a{i + 1}"}]} for i in range(count)}
    return {"$defs": {**links, f"a{count}": {"type": "integer"}}, "$ref": "#/$defs/a0"}


REFUSED: list[tuple[str, Schema, str]] = [
    ("deep", nested(10_000), "levels"),
    ("deep anyOf", nested(10_000, "anyOf"), "levels"),
    ("long", {"enum": ["x" * 100_000]}, "bytes"),
    ("huge enum", {"enum": list(range(1_000_000))}, "values"),
    ("remote", {"$ref": "http://127.0.0.1:9/schema.json"}, "does not fetch"),
    ("file", {"$ref": "file:///etc/passwd"}, "does not fetch"),
    ("nowhere", {"$ref": "#/$defs/none"}, "does not exist"),
    ("loop", {"$ref": "#"}, "no text has"),
    ("two in a loop", {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
                       "$ref": "#/$defs/a"}, "no text has"),
    ("never", {"type": "object", "properties": {"a": False}, "required": ["a"]}, "nsatisfiable"),
    ("long pattern", {"type": "string", "pattern": "a?" * 2000}, "pattern"),
    ("look ahead", {"type": "string", "pattern": "(?=a)b"}, "look-ahead"),
    ("back reference", {"type": "string", "pattern": r"(a)\1"}, "backreferences"),
    ("broken pattern", {"type": "string", "pattern": "["}, "unclosed"),
    ("directions", {"type": "integer", "x-guidance": {"lenient": True}}, "x-guidance"),
    ("foreign type", {"type": "int"}, "type: int"),
    ("wrong type", {"type": 5}, "type must be"),
    ("unknown format", {"type": "string", "format": "iri"}, "format: iri"),
    ("old items", {"items": [{"type": "integer"}]}, "prefixItems"),
    ("switch", {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, "exclusiveMinimum"),
    ("overlapping", {"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
    *(
        (word, {"type": ["object", "array", "string", "integer"], word: value}, word)
        for word, value in {
            "not": {"const": 1}, "if": {"const": 1}, "uniqueItems": True, "contains": {},
            "propertyNames": {"maxLength": 1}, "dependentRequired": {"a": ["b"]},
            "minProperties": 1, "maxProperties": 1, "unevaluatedProperties": False,
            "dependencies": {"a": ["b"]}, "$dynamicRef": "#x", "additionalItems": False,
        }.items()
    ),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
async def test_schema_that_cannot_be_kept_to_is_refused_by_name(schema: Schema, said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)) as caught:
        await drawn(plain(Structure(json_schema=schema)), random.Random(0))
    assert caught.value.param == "response_format"


@pytest.mark.parametrize("word", ["anyOf", "allOf"])
async def test_long_chain_of_definitions_does_not_end_the_process(word: str) -> None:
    schema = chained(1200, word)
    assert await drawn(plain(Structure(json_schema=schema)), random.Random(0))


async def test_long_chain_of_rules_does_not_end_the_process() -> None:
    rules = [f"r{i}: r{i + 1}" for i in range(4500)]
    grammar = "\n".join(["start: r0", *rules, 'r4500: "x"'])
    assert await drawn(plain(Structure(grammar=grammar)), random.Random(0)) == "x"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 10**9},
        {"type": "array", "items": {"type": "integer"}, "maxItems": 10**9},
        {"type": "string", "pattern": "(a+)+$"},
        {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"},
        {"enum": [f"v{i}" for i in range(4000)]},
        {"type": "object", "properties": {f"k{i}": {"type": "string"} for i in range(1500)}},
    ],
    ids=["endless", "many items", "nested", "nested more", "enum", "properties"],
)
async def test_large_forms_are_begun(schema: Schema) -> None:
    (guide,) = await compiler().guides(lambda _: plain(Structure(json_schema=schema)), 1)
    assert len(guide.allowed())


@pytest.mark.parametrize(
    "regex", ["((a{1,100}){1,100}){1,100}", "(a?){2000}a{2000}", "[a-z]?" * 330]
)
async def test_work_of_a_token_is_bounded(regex: str) -> None:
    """A form whose automaton doubles with every letter is refused, at once or in its text."""
    with pytest.raises(InvalidInput, match="too many expressions"):
        await first_of_each(plain(Structure(regex=regex)))


async def first_of_each(grammar: str) -> None:
    (guide,) = await compiler().guides(lambda _: grammar, 1)
    while not guide.over:
        guide.accept(int(guide.allowed()[0]))


@pytest.mark.parametrize(
    "grammar",
    ["start: (((", "start: " + "(" * 30_000, "start: missing", "", "start: A\nA: A 'x'",
     "start: a\na: a", "start: <[999999]>", '%import .passwd (A)\nstart: A',
     "root ::= (((", 'root ::= "', "root ::= missing", "::="],
    ids=["broken", "deep", "missing", "empty", "term in itself", "rule in itself", "token", "file",
         "ebnf", "open ebnf", "missing in ebnf", "no ebnf"],
)  # fmt: skip
async def test_broken_grammar_is_refused_and_the_next_is_not(grammar: str) -> None:
    with pytest.raises(InvalidInput):
        await drawn(plain(Structure(grammar=grammar)), random.Random(0))
    assert await drawn(plain(Structure(choice=["well"])), random.Random(0)) == "well"


async def test_too_long_a_grammar_is_refused() -> None:
    for form in (
        Structure(grammar="x" * 100_000),
        Structure(regex="x" * 5000),
        Structure(choice=["x"] * 5000),
        Structure(choice=["x" * 100_000]),
    ):
        with pytest.raises(InvalidInput, match="at most"):
            plain(form)


async def test_schemas_of_many_tools_are_bounded_together() -> None:
    properties = {f"k{i}": {"type": "string"} for i in range(1000)}
    call = (Value({"type": "object", "properties": properties}),)
    grammar = Grammar(view())
    calls = grammar.calls(Shape(begin=(), calls=(call,) * 100))
    with pytest.raises(InvalidInput, match="all tools"):
        grammar.text(calls)


async def test_few_grammars_are_kept() -> None:
    for n in range(2 * KEPT):
        await drawn(plain(Structure(json_schema={"const": n})), random.Random(0))
    assert len(compiler()._kept) <= KEPT


async def test_one_text_does_not_move_another_of_its_form() -> None:
    grammar = plain(Structure(choice=["ab", "cd"]))
    one, other = await compiler().guides(lambda _: grammar, 2)
    before = other.allowed().tolist()
    one.accept(int(one.allowed()[0]))
    assert other.allowed().tolist() == before
    assert json.loads(
        await drawn(plain(Structure(json_schema={"const": 1})), random.Random(0)) or ""
    )
