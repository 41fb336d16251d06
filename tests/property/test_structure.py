"""Texts held to random schemas, against the reference implementation of JSON Schema."""

from __future__ import annotations

import json
import random
from datetime import datetime, time

import jsonschema
import pytest
from fix_guided import drawn, plain
from fix_schemas import Schema, schemas
from hypothesis import given, settings
from hypothesis import strategies as st

from stelae.types import Structure

CHECKS = jsonschema.FormatChecker(["date", "email", "ipv4", "ipv6", "uuid"])


@CHECKS.checks("time", ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or time.fromisoformat(value) is not None


@CHECKS.checks("date-time", ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value) is not None


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(schemas(), st.integers(0, 2**32))
async def test_text_held_to_a_schema_parses_and_is_valid(schema: Schema, seed: int) -> None:
    grammar = plain(Structure(json_schema=schema))
    said = await drawn(grammar, random.Random(seed))
    assert said is not None
    value = json.loads(said)
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator, format_checker=CHECKS)
