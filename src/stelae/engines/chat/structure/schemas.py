"""JSON Schemas as callers give them: bounded, and understood to the last word or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from stelae.errors import InvalidInput

BYTES = 64 << 10
"""Longest schema, as JSON."""

LEVELS = 64
"""Objects and lists of a schema that lie within each other."""

NODES = 16_384
"""Values of a schema, all told."""

PATTERN = 2048
"""Letters of a regular expression."""

DIRECTIONS = "x-guidance"
"""The library's own directions; a schema that has them could loosen itself."""

STRICT = {"whitespace_flexible": False, "key_separator": ": ?", "item_separator": ", ?"}
"""Directions of ours: a space after signs at most, since runs of white space need never end."""

LENIENT = {**STRICT, "lenient": True}
"""The same, and words that the library cannot keep to are read past."""

YEAR = "[12][0-9]{3}"
DAYS = (
    "(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])", "(0[13-9]|1[0-2])-(29|30)", "(0[13578]|1[02])-31",
)  # fmt: skip
LEAP = "(1[2-9]|2[0-9])(0[48]|[2468][048]|[13579][26])|(16|20|24|28)00"
DATE = f"({YEAR}-({'|'.join(DAYS)})|({LEAP})-02-29)"
HOURS = "([01][0-9]|2[0-3])"
TIME = rf"{HOURS}:[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?(Z|[+-]{HOURS}:[0-5][0-9])"

FORMATS = {"date": f"^{DATE}$", "time": f"^{TIME}$", "date-time": f"^{DATE}T{TIME}$"}
"""Formats as patterns: days that there are, from 1000 to 2999, without seconds added to a year."""

UNKEPT = {
    "additionalItems": "prefixItems and items",
    "minProperties": "required",
    "maxProperties": "properties with additionalProperties false",
}
"""Words of JSON Schema that the library reads past or cannot keep to, and what says the same."""

NAMES = {
    "int": "integer", "long": "integer", "float": "number", "double": "number",
    "decimal": "number", "str": "string", "text": "string", "char": "string", "bool": "boolean",
    "dict": "object", "map": "object", "struct": "object", "list": "array", "tuple": "array",
    "set": "array", "none": "null", "nil": "null",
}  # fmt: skip
"""Names of types that schemas of tools use in place of JSON Schema's."""

TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})

NULLED = frozenset({"const", "default"})
"""Words for which ``null`` is a value; others that have it say nothing."""

INNER = frozenset({"properties", "patternProperties", "$defs", "definitions"})
"""Words whose value has schemas by name."""

LISTED = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
"""Words whose value is a list of schemas."""

SINGLE = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains"})
"""Words whose value is a schema."""


def checked(schema: dict[str, Any], param: str) -> dict[str, Any]:
    """A schema that every text can be held to, word for word, with the library's directions.

    Args:
        schema: As the caller gave it.
        param: What names it in errors.

    Raises:
        InvalidInput: It is too large, or has words that would be read past.
    """
    measure(schema, param)
    return {**_mapped(schema, lambda inner: _dated(_whole(inner, param))), DIRECTIONS: STRICT}


def eased(schema: dict[str, Any], param: str) -> dict[str, Any]:
    """A tool's schema, which may be loosely written: foreign names of types are put right.

    Words that the library cannot keep to are read past. What has properties is an object, and
    has no others unless the schema says so.

    Raises:
        InvalidInput: It is too large.
    """
    measure(schema, param)
    made = _mapped(schema, lambda inner: _dated(_named(inner)))
    if made.get("properties"):
        made = {"type": "object", "additionalProperties": False, **made}
    return {**made, DIRECTIONS: LENIENT}


def measure(schema: Any, param: str) -> None:
    """Refuse a schema that is too large.

    Raises:
        InvalidInput: What is over which bound.
    """
    nodes, level, layer = 0, 0, [schema]
    while layer:
        nodes += len(layer)
        level += 1
        if level > LEVELS:
            raise _refused(param, f"has more than {LEVELS} levels", "make it flatter, by $ref")
        if nodes > NODES:
            raise _refused(param, f"has more than {NODES} values", "state fewer")
        layer = [inner for value in layer for inner in _inside(value)]
    size = len(msgspec.json.encode(schema))
    if size > BYTES:
        raise _refused(param, f"has {size} bytes, at most {BYTES} are taken", "state less")


def _mapped(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A schema with each one in it changed; not what ``enum`` or ``const`` hold."""
    if not isinstance(schema, dict):
        return schema
    return change({word: _mapped_at(word, value, change) for word, value in schema.items()})


def _mapped_at(word: str, value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if word in INNER and isinstance(value, dict):
        return {name: _mapped(inner, change) for name, inner in value.items()}
    if word in LISTED and isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return _mapped(value, change) if word in SINGLE else value


def _dated(schema: dict[str, Any]) -> dict[str, Any]:
    pattern = FORMATS.get(str(schema.get("format")))
    if pattern is None or "pattern" in schema:
        return schema
    return {**{word: v for word, v in schema.items() if word != "format"}, "pattern": pattern}


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    """The same with JSON Schema's names of types; what says nothing is left out."""
    made = {
        word: value
        for word, value in schema.items()
        if word not in ("type", DIRECTIONS) and (value is not None or word in NULLED)
    }
    kind = schema.get("type")
    given = [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else []
    named = [NAMES.get(name.lower(), name.lower()) for name in given if isinstance(name, str)]
    if named and TYPES.issuperset(named):
        made["type"] = named if isinstance(kind, list) else named[0]
    return made


def _whole(schema: dict[str, Any], param: str) -> dict[str, Any]:
    """A schema, if nothing in it would be read past.

    Raises:
        InvalidInput: Something would.
    """
    if DIRECTIONS in schema:
        raise _refused(param, f"has {DIRECTIONS!r}, which is not taken", "leave it out")
    for word, better in UNKEPT.items():
        if word in schema:
            raise _refused(param, f"uses {word!r}, which is not implemented", f"use {better}")
    for word in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(schema.get(word), bool):
            raise _refused(param, f"uses {word!r} as a switch", f"give {word} the number itself")
    if isinstance(schema.get("items"), list):
        raise _refused(param, "uses 'items' with a list", "use prefixItems")
    for pattern in (schema.get("pattern"), *_keys(schema.get("patternProperties"))):
        if isinstance(pattern, str) and len(pattern) > PATTERN:
            raise _refused(
                param, f"has a pattern of {len(pattern)} letters", f"use at most {PATTERN}"
            )
    return schema


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else []


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refused(param: str, fault: str, hint: str) -> InvalidInput:
    return InvalidInput(f"the schema {fault}", param=param, hint=hint)
