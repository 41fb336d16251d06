"""Types in JSON Schema, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference.markdown import code

Schema = Mapping[str, Any]
Link = Callable[[str], str]
"""What to write for a named type."""

ARRAY = [{"type": "array"}, {"type": "object"}]
"""Numbers in either form: nested lists in JSON, a map with raw bytes in msgpack."""


def words(schema: Schema, link: Link) -> str:
    """What a value may be, in words.

    Args:
        schema: The type.
        link: Called with the name of a type that is described elsewhere.
    """
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    if schema.get("anyOf") == ARRAY:
        return "array"
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return " or ".join(dict.fromkeys(words(kind, link) for kind in kinds))
    if "enum" in schema:
        return choice(schema["enum"])
    if schema.get("type") == "array":
        return f"list of {words(schema['items'], link)}" if schema.get("items") else "list"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"map to {words(values, link)}" if isinstance(values, dict) and values else "map"
    return f"{schema.get('type', 'anything')}{bounds(schema)}"


def choice(values: list[Any]) -> str:
    """One of several words."""
    return " or ".join(code(value) for value in values if value is not None)


def bounds(schema: Schema) -> str:
    """Limits of a number."""
    if "minimum" in schema:
        return f" ≥ {schema['minimum']:g}"
    if "exclusiveMinimum" in schema:
        return f" > {schema['exclusiveMinimum']:g}"
    return ""
