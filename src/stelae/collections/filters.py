"""Conditions on the tags of documents, as SQL.

    {"price": {"$lt": 10}, "kind": "shoe"}       both hold
    {"$or": [{"kind": "shoe"}, {"kind": {"$in": ["boot", "sandal"]}}]}
    {"maker.country": {"$ne": "fr"}}             a tag inside a tag

A document without the tag meets ``$ne``, ``$nin`` and ``{"$exists": false}`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stelae.errors import InvalidInput

Scalar = str | int | float | bool
Clause = tuple[str, list[Any]]
"""SQL with places, and the values of the places."""

MOST_CONDITIONS = 256
"""Most comparisons of one filter."""

DEEPEST = 16
"""Most conditions inside one another."""

COMPARISONS = {"$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}

JOINTS = {"$and": " AND ", "$or": " OR "}

OPERATORS = ("$eq", "$ne", *COMPARISONS, "$in", "$nin", "$exists")


def where(condition: Mapping[str, Any]) -> Clause:
    """The condition as an SQL expression over a column ``tags`` of JSON.

    Args:
        condition: By name of a tag a value or ``{operator: value}``; ``$and`` and ``$or``
            hold lists of conditions, ``$not`` one.

    Raises:
        InvalidInput: It cannot be read; the message says where.
    """
    return _Reader().read(condition, 0)


class _Reader:
    """Reads one condition and counts its comparisons."""

    def __init__(self) -> None:
        self._seen = 0

    def read(self, condition: object, depth: int) -> Clause:
        if not isinstance(condition, Mapping):
            raise _wrong(f"expected conditions by name, got {_shown(condition)}")
        if depth > DEEPEST:
            raise _wrong(f"conditions are nested deeper than {DEEPEST}")
        parts = [self._part(name, value, depth) for name, value in condition.items()]
        return _joined(parts, " AND ")

    def _part(self, name: str, value: object, depth: int) -> Clause:
        if name in JOINTS:
            if not isinstance(value, Sequence) or isinstance(value, str) or not value:
                raise _wrong(f"{name} takes a list of conditions, got {_shown(value)}")
            return _joined([self.read(one, depth + 1) for one in value], JOINTS[name])
        if name == "$not":
            sql, values = self.read(value, depth + 1)
            return f"NOT COALESCE({sql}, 0)", values
        if name.startswith("$"):
            raise _wrong(f"{_shown(name)} stands before conditions; known are $and, $or, $not")
        if not isinstance(value, Mapping):
            value = {"$eq": value}
        if not value:
            raise _wrong(f"tag {_shown(name)} is compared with nothing")
        return _joined([self._compared(name, op, other) for op, other in value.items()], " AND ")

    def _compared(self, name: str, operator: str, value: Any) -> Clause:
        self._seen += 1
        if self._seen > MOST_CONDITIONS:
            raise _wrong(f"there are more than {MOST_CONDITIONS} comparisons")
        path = _path(name)
        if operator in COMPARISONS:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number or isinstance(value, str)):
                raise _wrong(f"{operator} compares numbers or texts, got {_shown(value)}")
            kinds = "('integer', 'real')" if number else "('text')"
            compared = f"json_extract(tags, ?) {COMPARISONS[operator]} ?"
            return f"(json_type(tags, ?) IN {kinds} AND {compared})", [path, path, value]
        make = _OTHERS.get(operator)
        if make is None:
            raise _wrong(f"operator {_shown(operator)} is not known; known are {OPERATORS}")
        return make(path, value)


def _equal(path: str, value: Any) -> Clause:
    if value is None:
        return "COALESCE(json_type(tags, ?), 'null') = 'null'", [path]
    if isinstance(value, bool):
        return "json_type(tags, ?) = ?", [path, "true" if value else "false"]
    if not isinstance(value, str | int | float):
        raise _wrong(f"a tag is compared with a text, a number, true, false or null, "
                     f"got {_shown(value)}")  # fmt: skip
    kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
    return f"(json_type(tags, ?) IN {kinds} AND json_extract(tags, ?) = ?)", [path, path, value]


def _among(path: str, values: Any) -> Clause:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise _wrong(f"$in and $nin take a list of values, got {_shown(values)}")
    if len(values) > MOST_CONDITIONS:
        raise _wrong(f"a list has {len(values)} values, more than {MOST_CONDITIONS}")
    return _joined([_equal(path, value) for value in values], " OR ")


def _exists(path: str, value: Any) -> Clause:
    if not isinstance(value, bool):
        raise _wrong(f"$exists takes true or false, got {_shown(value)}")
    return f"json_type(tags, ?) IS {'NOT ' if value else ''}NULL", [path]


def _not(make: Callable[[str, Any], Clause]) -> Callable[[str, Any], Clause]:
    def negated(path: str, value: Any) -> Clause:
        sql, values = make(path, value)
        return f"NOT COALESCE({sql}, 0)", values

    return negated


_OTHERS: dict[str, Callable[[str, Any], Clause]] = {
    "$eq": _equal,
    "$ne": _not(_equal),
    "$in": _among,
    "$nin": _not(_among),
    "$exists": _exists,
}


def _joined(parts: Sequence[Clause], joint: str) -> Clause:
    if not parts:
        return "1", []
    sql = joint.join(f"COALESCE({sql}, 0)" for sql, _ in parts)
    return f"({sql})", [value for _, values in parts for value in values]


def _path(name: str) -> str:
    """SQLite's path of a tag; dots lead into tags of tags."""
    steps = name.split(".")
    if not all(steps) or '"' in name or "\x00" in name or len(name) > 200:
        raise _wrong(f"{_shown(name)} is not the name of a tag")
    return "$" + "".join(f'."{step}"' for step in steps)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _wrong(why: str) -> InvalidInput:
    return InvalidInput(f"filter: {why}", param="filter", hint='as {"price": {"$lt": 10}}')
