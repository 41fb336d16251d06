"""Faults are tried on the server's event loop, the gravest also on asyncio's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

BOTH_LOOPS = ("test_worker_death", "test_leaks")
"""Files whose tests run on both event loops; the others run on the server's."""


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    loops = {"uvloop": uvloop.new_event_loop}
    if item.path.stem in BOTH_LOOPS:
        return {**loops, "asyncio": asyncio.new_event_loop}
    return {**loops}


def _children() -> set[str]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(listed.read_text().split()) if listed.exists() else set()


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """No test leaves a child process, living or dead."""
    before = _children()
    yield
    assert _children() <= before
