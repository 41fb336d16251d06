"""``stelae logs``: lines of a server's log, by a route that needs its key."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from live import live
from typer.testing import CliRunner, Result

from stelae.cli import following
from stelae.cli.app import app
from stelae.telemetry.latest import LATEST


async def run(server: str, *words: str, check: int = 0, key: str | None = None) -> Result:
    def invoke() -> Result:
        told = {"STELAE_URL": server, "STELAE_API_KEY": key}
        return CliRunner().invoke(app, ["logs", *words], env=told)

    ended = await asyncio.to_thread(invoke)
    assert ended.exit_code == check, ended.output
    return ended


@pytest.mark.asyncio
async def test_the_latest_lines_are_printed() -> None:
    async with live() as server:
        LATEST.add("first\nsecond\nthird")
        assert (await run(server.url, "-n", "2")).stdout == "second\nthird\n"
        assert (await run(server.url, "-n", "0")).stdout == ""
    await run(server.url, check=3)


@pytest.mark.asyncio
async def test_programs_get_the_lines_as_a_document() -> None:
    async with live() as server:
        LATEST.add('first\n"second"')
        told = json.loads((await run(server.url, "-n", "1", "--json")).stdout)
        assert told == {"lines": ['"second"'], "lost": 0}
        nothing = json.loads((await run(server.url, "-n", "0", "--json")).stdout)
        assert nothing["lines"] == []


@pytest.mark.asyncio
async def test_the_log_is_for_those_with_a_key() -> None:
    async with live(api_keys=["sesame"]) as server:
        LATEST.add("secret")
        assert "secret" not in (await run(server.url, check=1, key="wrong")).output
        assert "secret" in (await run(server.url, key="sesame")).stdout


@pytest.mark.asyncio
async def test_what_is_added_follows() -> None:
    async with live() as server:
        log = following.Log(server.url, None, None)
        LATEST.add("old")
        seen = await asyncio.to_thread(log.part, None, 1)
        LATEST.add("new")
        part = await asyncio.to_thread(following.following, log, seen)
        assert part is not None
        assert part.lines == ["new"]
        log.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("query", ["from=-1", "from=x", "lines=1e3", "from=" + "9" * 40, "lines="])
async def test_numbers_that_are_none_are_refused(query: str) -> None:
    async with live() as server, httpx.AsyncClient() as http:
        assert (await http.get(f"{server.url}/stelae/v1/logs?{query}")).status_code == 400
