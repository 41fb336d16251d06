"""The examples in the docstrings, run on the fake engine."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import stelae
from stelae.client._sync import Client

FAKE: dict[str, Any] = {
    "Client": partial(stelae.local, engine="fake"),
    "local": partial(stelae.local, engine="fake"),
}


@pytest.mark.parametrize("function", [Client.encode, stelae.local], ids=["encode", "local"])
def test_example_shows_what_happens(function: Callable[..., Any]) -> None:
    [test] = doctest.DocTestFinder(recurse=False).find(function, "example", globs=dict(FAKE))
    assert test.examples
    result = doctest.DocTestRunner().run(test)
    assert result.failed == 0
