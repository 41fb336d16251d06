"""``stelae launch`` as a person sees it: a bar while it is fetched, and Ctrl-C gives it up."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from fix_hub import repo_of, running_hub
from live import Live, live, until
from terminal import CTRL_C, Terminal, terminal

from stelae.types import Stage

WEIGHTS = "model.safetensors"
LAUNCH = [sys.executable, "-c", "from stelae.cli import main; main()", "launch", "tiny/bert"]


@pytest_asyncio.fixture
async def held(zoo: Path, tmp_path: Path) -> AsyncIterator[tuple[Live, threading.Event]]:
    """A server, and what lets the weights through that its hub holds back."""
    with running_hub() as hub:
        repo = hub.repos["tiny/bert"] = repo_of(zoo / "bert-dense")
        repo.holds[WEIGHTS] = threading.Event()
        place = {"cache": str(tmp_path / "cache"), "endpoint": hub.url}
        async with live(hub=place) as server:
            try:
                yield server, repo.holds[WEIGHTS]
            finally:
                repo.holds[WEIGHTS].set()


@contextmanager
def launching(server: Live, *options: str) -> Iterator[Terminal]:
    with terminal([*LAUNCH, *options], STELAE_URL=server.url, NO_COLOR="1") as shown:
        yield shown


@pytest.mark.asyncio
async def test_a_bar_shows_the_stages_until_the_model_is_ready(
    held: tuple[Live, threading.Event],
) -> None:
    server, go = held

    def look() -> None:
        with launching(server, "--uid", "mine") as shown:
            shown.wait_for("downloading")
            go.set()
            shown.wait_for("tiny/bert is ready")
            shown.wait_for("mine")

    await asyncio.to_thread(look)
    assert server.house.launches.info("mine").stage is Stage.READY


@pytest.mark.asyncio
async def test_ctrl_c_gives_the_launch_up(held: tuple[Live, threading.Event]) -> None:
    server, _ = held

    def look() -> None:
        with launching(server, "--uid", "mine") as shown:
            shown.wait_for("downloading")
            shown.press_until(CTRL_C, "the launch of mine is given up")

    await asyncio.to_thread(look)
    await until(lambda: server.house.launches.all() == [])
