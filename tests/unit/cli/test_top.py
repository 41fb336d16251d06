"""``stelae top``: a server at one moment."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from live import live
from terminal import CTRL_C, terminal
from typer.testing import CliRunner, Result

from stelae.cli import watching
from stelae.cli.app import app
from stelae.types import Capacity, ModelInfo, ModelLoad, ModelState, Worker


async def run(server: str, *words: str, check: int = 0) -> Result:
    def invoke() -> Result:
        return CliRunner().invoke(app, ["top", *words], env={"STELAE_URL": server})

    ended = await asyncio.to_thread(invoke)
    assert ended.exit_code == check, ended.output
    return ended


@pytest.mark.asyncio
async def test_a_pipe_gets_one_look_at_what_is_loaded() -> None:
    async with live() as server:
        await server.house.fleet.load("fake")
        lines = (await run(server.url)).stdout.splitlines()
        told = json.loads((await run(server.url, "--json")).stdout)
    assert lines[0].startswith("1 of 2 models loaded, 0 calls under way")
    assert lines[1].split() == [name.upper() for name in watching.COLUMNS]
    assert lines[2].split()[:4] == ["fake", "ready", "0", "0"]
    assert {load["info"]["name"] for load in told["models"]} == {"fake", "all-MiniLM-L6-v2"}
    await run("http://127.0.0.1:9", check=3)


@pytest.mark.asyncio
async def test_a_terminal_is_shown_it_again_and_again() -> None:
    command = [sys.executable, "-c", "from stelae.cli import main; main()", "top"]

    def look(url: str) -> None:
        with terminal([*command, "--every", "0.2"], STELAE_URL=url) as seen:
            seen.wait_for("0 of 2 models loaded")
            seen.wait_for("0 of 2 models loaded")
            seen.press_until(CTRL_C, "")

    async with live() as server:
        await asyncio.to_thread(look, server.url)


def load(name: str, tokens: int, state: ModelState = ModelState.READY) -> ModelLoad:
    info = ModelInfo(name=name, source="embedded", state=state, memory_bytes=3 << 20)
    return ModelLoad(info=info, queue_calls=tokens // 10, queue_tokens=tokens)


def test_the_busiest_stand_first_and_what_is_not_loaded_is_left_out() -> None:
    models = [load("idle", 0), load("busy", 90), load("off", 0, ModelState.AVAILABLE)]
    worker = Worker(
        name="w",
        profile="cpu",
        queue_calls=9,
        memory_used_bytes=1 << 30,
        memory_total_bytes=2 << 30,
    )
    seen = Capacity(
        time=0.0, workers=(worker,), models=tuple(models), profiles=(), calls_per_second=1.25
    )
    assert [row["name"] for row in watching.rows(seen)] == ["busy", "idle"]
    assert watching.summary(seen) == (
        "2 of 3 models loaded, 9 calls under way, 1.2 calls/s, memory 1.0 GiB of 2.0 GiB"
    )
