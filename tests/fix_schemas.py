"""Random JSON Schemas that some text fits, for hypothesis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

FORMATS = ("date", "time", "date-time", "email", "ipv4", "ipv6", "uuid", "hostname")
INK = "[^\\s\\x1c-\\x1f]"  # of these four, only Python's expressions say that they are space
PATTERNS = (
    "^[a-z]{1,6}$", "^(red|green)-[0-9]{2}$", "^[A-Z][a-z]*$", f"^{INK}{{1,4}} {INK}{{1,4}}$",
)  # fmt: skip
NAMES = st.sampled_from(["name", "kind", "n", "a b", "größe", "x-y", 'q"t', "😀", "items", "type"])
SCALARS = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text('ab é"\\\n', max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
REFS = st.sampled_from(["#/$defs/leaf", "#/$defs/tree"])


TREE: Schema = {
    "type": "object",
    "properties": {
        "v": {"type": "integer"},
        "k": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
    },
    "required": ["v"],
    "additionalProperties": False,
}
"""A schema that holds itself."""


def texts() -> st.SearchStrategy[Schema]:
    bounds = st.tuples(st.integers(0, 4), st.integers(0, 5)).map(
        lambda b: {"type": "string", "minLength": b[0], "maxLength": b[0] + b[1]}
    )
    formats = st.sampled_from(FORMATS).map(lambda name: {"type": "string", "format": name})
    patterns = st.sampled_from(PATTERNS).map(lambda p: {"type": "string", "pattern": p})
    return st.just({"type": "string"}) | bounds | formats | patterns


def numbers() -> st.SearchStrategy[Schema]:
    low, high = st.integers(-500, 0), st.integers(1, 500)
    kinds = st.sampled_from(["integer", "number"])
    names = st.tuples(
        st.sampled_from(["minimum", "exclusiveMinimum"]),
        st.sampled_from(["maximum", "exclusiveMaximum"]),
    )
    bounded = st.builds(
        lambda kind, names, low, high: {"type": kind, names[0]: low - 2, names[1]: high + 2},
        kinds, names, low, high,
    )  # fmt: skip
    steps = st.integers(1, 12).map(
        lambda n: {"type": "integer", "multipleOf": n, "minimum": -99, "maximum": 999}
    )
    return kinds.map(lambda kind: {"type": kind}) | bounded | steps


def leaves() -> st.SearchStrategy[Schema]:
    plain = st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}])
    enums = st.lists(VALUES, min_size=1, max_size=4).map(lambda values: {"enum": values})
    consts = VALUES.map(lambda value: {"const": value})
    return plain | enums | consts | texts() | numbers() | REFS.map(lambda ref: {"$ref": ref})


def objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    def made(properties: Mapping[str, Schema], wanted: int, more: Any) -> Schema:
        required = [name for n, name in enumerate(properties) if wanted >> n & 1]
        schema = {"type": "object", "properties": dict(properties), "required": required}
        return schema if more is None else {**schema, "additionalProperties": more}

    more = st.none() | st.booleans() | inner
    return st.builds(made, st.dictionaries(NAMES, inner, max_size=4), st.integers(0, 15), more)


def arrays(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    bounds = st.tuples(st.integers(0, 2), st.integers(0, 3))
    plain = st.builds(
        lambda items, b: {
            "type": "array", "items": items, "minItems": b[0], "maxItems": b[0] + b[1],
        },
        inner, bounds,
    )  # fmt: skip
    tuples = st.builds(
        lambda first, rest: {"type": "array", "prefixItems": first, "items": rest},
        st.lists(inner, min_size=1, max_size=3), inner | st.just(False),
    )  # fmt: skip
    return plain | tuples


def schemas() -> st.SearchStrategy[Schema]:
    """Schemas of every kind that is kept to word for word."""
    inner = st.recursive(
        leaves(),
        lambda s: (
            objects(s) | arrays(s)
            | st.lists(s, min_size=1, max_size=3).map(lambda several: {"anyOf": several})
        ),
        max_leaves=8,
    )  # fmt: skip
    return st.builds(lambda schema, leaf: {**schema, "$defs": {"leaf": leaf, "tree": TREE}},
                     objects(inner) | arrays(inner) | inner, texts() | numbers())  # fmt: skip
