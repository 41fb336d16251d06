"""Conditions on tags, each compared with what the same condition says in Python."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from stelae.collections.filters import where
from stelae.errors import InvalidInput

TAGS: list[dict[str, Any]] = [
    {"price": 5, "kind": "shoe", "new": True, "maker": {"country": "fr"}},
    {"price": 10.5, "kind": "boot", "new": False},
    {"price": "10", "kind": None},
    {},
    {"kind": "sho'; DROP TABLE documents; --", "a b": 1, "ключ": "значение"},
    {"price": [1, 2], "maker": {"country": "de", "age": 100}},
]


def met(condition: dict[str, Any]) -> list[int]:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE documents (position INTEGER, tags TEXT)")
    rows = [(index, json.dumps(tags, ensure_ascii=False)) for index, tags in enumerate(TAGS)]
    database.executemany("INSERT INTO documents VALUES (?, ?)", rows)
    sql, values = where(condition)
    query = f"SELECT position FROM documents WHERE {sql} ORDER BY position"  # noqa: S608 - tested
    found = [row[0] for row in database.execute(query, values)]
    database.close()
    return found


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"price": 5}, [0]),
        ({"price": "10"}, [2]),
        ({"price": {"$lt": 10}}, [0]),
        ({"price": {"$gte": 5, "$lte": 10.5}}, [0, 1]),
        ({"price": {"$gt": "1"}}, [2]),
        ({"kind": {"$in": ["shoe", "boot"]}}, [0, 1]),
        ({"kind": {"$nin": ["shoe", "boot"]}}, [2, 3, 4, 5]),
        ({"kind": {"$ne": "shoe"}}, [1, 2, 3, 4, 5]),
        ({"kind": None}, [2, 3, 5]),
        ({"new": True}, [0]),
        ({"new": 1}, []),
        ({"new": {"$exists": False}}, [2, 3, 4, 5]),
        ({"kind": {"$exists": True}}, [0, 1, 2, 4]),
        ({"maker.country": "fr"}, [0]),
        ({"maker.age": {"$gt": 5}}, [5]),
        ({"a b": 1}, [4]),
        ({"ключ": "значение"}, [4]),
        ({"kind": "sho'; DROP TABLE documents; --"}, [4]),
        ({"$or": [{"price": 5}, {"kind": "boot"}]}, [0, 1]),
        ({"$and": [{"price": {"$gt": 1}}, {"kind": "boot"}]}, [1]),
        ({"$not": {"price": {"$lt": 10}}}, [1, 2, 3, 4, 5]),
        ({"price": 5, "kind": "boot"}, []),
    ],
)
def test_a_condition_chooses_documents(condition: dict[str, Any], expected: list[int]) -> None:
    assert met(condition) == expected


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        condition = {"$not": condition}
    return condition


@pytest.mark.parametrize(
    "condition",
    [
        {"price": {"$regex": "x"}},
        {"$where": "1=1"},
        {"$or": []},
        {"$or": "x"},
        {"$and": [1]},
        {"price": {}},
        {"price": {"$lt": None}},
        {"price": {"$lt": True}},
        {"price": {"$in": "abc"}},
        {"price": {"$in": []}},
        {"price": {"$exists": 1}},
        {"price": [1]},
        {"": 1},
        {"a..b": 1},
        {'a"b': 1},
        {"a" * 300: 1},
        {"price": {"$in": list(range(1000))}},
        {str(number): number for number in range(300)},
        nested(100),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_with_the_reason(
    condition: dict[str, Any],
) -> None:
    with pytest.raises(InvalidInput, match="filter: ") as caught:
        where(condition)
    assert len(caught.value.message) < 400
