"""Plain Python values in the ``Struct`` of a message, and out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stelae.errors import InvalidInput
from stelae.wire.clip.messages import Struct, Value

MAX_DEPTH = 32
"""Deepest nesting of values; protobuf's own parser allows little more."""


def plain(struct: Struct) -> dict[str, Any]:
    """A ``Struct`` as a dictionary; every number is a float, as the wire has it.

    Raises:
        InvalidInput: It is nested more than ``MAX_DEPTH`` deep.
    """
    return {name: _read(value, MAX_DEPTH) for name, value in struct.fields.items()}


def fill(struct: Struct, values: Mapping[str, Any]) -> None:
    """Put values into a ``Struct``, over what was there under their names.

    Raises:
        InvalidInput: One is of a kind that JSON does not have, or they are nested too deeply.
    """
    for name, value in values.items():
        _write(struct.fields[name], value, str(name), MAX_DEPTH)


def _read(value: Value, depth: int) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        inner = _deeper(depth)
        return {name: _read(each, inner) for name, each in value.struct_value.fields.items()}
    if kind == "list_value":
        inner = _deeper(depth)
        return [_read(each, inner) for each in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def _write(message: Value, value: Any, name: str, depth: int) -> None:
    message.SetInParent()
    match value:
        case None:
            message.null_value = 0
        case bool():
            message.bool_value = value
        case int() | float():
            message.number_value = value
        case str():
            message.string_value = value
        case Mapping():
            message.struct_value.SetInParent()
            for key, each in value.items():
                _write(message.struct_value.fields[str(key)], each, name, _deeper(depth))
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            message.list_value.SetInParent()
            for each in value:
                _write(message.list_value.values.add(), each, name, _deeper(depth))
        case _ if hasattr(value, "tolist"):
            _write(message, value.tolist(), name, depth)
        case _:
            raise InvalidInput(
                f"{name}: a {type(value).__name__} cannot be sent; text, numbers, lists and "
                "dictionaries of them can",
                param=name,
            )


def _deeper(depth: int) -> int:
    if not depth:
        raise InvalidInput(f"values are nested more than {MAX_DEPTH} deep")
    return depth - 1
