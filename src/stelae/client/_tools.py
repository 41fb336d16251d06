"""Tools and forms of answers as callers have them, and as they are sent."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from stelae.errors import InvalidInput
from stelae.types import NamedTool, Structure

StructureLike = Structure | Mapping[str, Any] | Literal["json"] | type[Any]
"""The form of an answer: a ``Structure``, a JSON Schema, ``json``, or a class that has a schema."""

CHOICES = ("auto", "none", "required")

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array",
          dict: "object", type(None): "null"}  # fmt: skip
"""JSON's names for Python's types."""


def structure_of(given: Any) -> Any:
    """The form that is meant.

    Raises:
        InvalidInput: It is none.
    """
    if isinstance(given, Structure):
        return given
    if given == "json":
        return Structure(json_object=True)
    if isinstance(given, Mapping):
        return Structure(json_schema=dict(given))
    if callable(schema := getattr(given, "model_json_schema", None)):
        return Structure(json_schema=schema())
    if inspect.isclass(given):
        return Structure(json_schema=_schema_of(given))
    raise InvalidInput(
        f"structure: a {type(given).__name__}; 'json', a JSON Schema, a class or a Structure was "
        "expected",
        param="structure",
    )


def _schema_of(kind: type[Any]) -> dict[str, Any]:
    """The schema of a dataclass, a ``TypedDict`` or a Struct."""
    try:
        return msgspec.json.schema(kind)
    except TypeError as error:
        raise InvalidInput(
            f"structure: {kind.__name__} has no JSON Schema: {error}", param="structure"
        ) from error


def tool_choice_of(given: Any) -> Any:
    """The choice that is meant; any other word is the name of a tool."""
    if isinstance(given, str) and given not in CHOICES:
        return NamedTool(name=given)
    return given


def tool_of(tool: Any) -> Any:
    """A tool in OpenAI's form: dicts stay as they are, a function is described by its signature.

    Raises:
        InvalidInput: An argument of a function is of a type that has no name in JSON.
    """
    if isinstance(tool, Mapping) or not callable(tool):
        return tool
    arguments = inspect.signature(tool).parameters.values()
    hints = get_type_hints(tool)
    first, _, rest = (inspect.getdoc(tool) or "").partition("\n")
    told = _argument_texts(rest)
    fields = {
        a.name: {
            **_type_schema(hints.get(a.name, str), f"{tool.__name__}({a.name})"),
            **({"description": told[a.name]} if a.name in told else {}),
        }
        for a in arguments
    }
    needed = [a.name for a in arguments if a.default is inspect.Parameter.empty]
    schema = {"type": "object", "properties": fields, "required": needed}
    said = {"name": tool.__name__, "description": first.strip(), "parameters": schema}
    return {"type": "function", "function": said}


def _type_schema(kind: Any, place: str) -> dict[str, Any]:
    if (name := SIMPLE.get(kind)) is not None:
        return {"type": name}
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_type_schema(part, place) for part in inner]}
    if origin is list:
        return {"type": "array", "items": _type_schema(inner[0], place)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type_schema(inner[1], place)}
    raise InvalidInput(
        f"tools: {place} is a {kind!r}, which has no name in JSON; describe the tool as a dict",
        param="tools",
    )


def _argument_texts(doc: str) -> dict[str, str]:
    """What a docstring in Google's style says of each argument."""
    told: dict[str, str] = {}
    name, inside = "", False
    for line in doc.splitlines():
        bare = line.strip()
        if line and not line.startswith(" "):
            inside, name = bare in ("Args:", "Arguments:"), ""
        elif inside and line.startswith("    ") and not line.startswith("     "):
            name, _, text = bare.partition(":")
            name = name.partition(" ")[0]
            told[name] = text.strip()
        elif inside and name and bare:
            told[name] = f"{told[name]} {bare}"
    return told
