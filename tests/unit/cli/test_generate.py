"""``stelae generate``: a text goes in as it is, and what follows comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from live import FAKE, live
from typer.testing import CliRunner, Result

from stelae.cli.app import app

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[str]:
    writer = {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}
    async with live(models={"writer": writer, "embedder": FAKE}) as made:
        yield made.url


async def run(server: str, *words: str, check: int = 0, typed: str = "") -> Result:
    def invoke() -> Result:
        told = {"STELAE_URL": server}
        return CliRunner().invoke(app, ["generate", *words], env=told, input=typed)

    ended = await asyncio.to_thread(invoke)
    assert ended.exit_code == check, ended.output
    return ended


async def test_a_text_is_gone_on_with_from_an_argument_or_stdin(server: str) -> None:
    named = await run(server, "writer", "once upon")
    assert named.stdout.strip()
    assert (await run(server, "writer", typed="once upon\n")).stdout == named.stdout
    told = json.loads((await run(server, "writer", "once upon", "--json")).stdout)
    assert told["choices"][0]["text"].strip() == named.stdout.strip()


async def test_options_reach_the_server(server: str) -> None:
    assert "top_p" in (await run(server, "writer", "text", "--top-p", "7", check=1)).stderr


async def test_a_model_that_only_embeds_is_told_so_and_which_ones_write(server: str) -> None:
    await run(server, "writer", "text")
    told = (await run(server, "embedder", "text", check=2)).stderr
    assert "model 'embedder' cannot write texts" in told
    assert "these can: writer" in told


async def test_what_cannot_be_is_told_with_its_exit_code(server: str) -> None:
    await run(server, "nobody", "text", check=4)
    await run(server, "writer", typed="", check=2)
    await run("http://127.0.0.1:9", "writer", "text", check=3)
