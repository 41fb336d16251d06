"""The trained chat model answers its nine prompts through real, unmodified clients.

The prompts stand in ``tiny.chat.prompts``; ``tests/parity/test_trained_chat.py`` compares what the
model says with the library. Each client runs in an environment of its own (``tools/clients.py``);
where one cannot be made, it is skipped and says why.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path

import clients
import pytest
import pytest_asyncio
from live import Live, live
from repo import ROOT
from tiny.chat.prompts import PROMPTS, Prompt

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

ENVIRONMENTS = ("openai-2", "openai-3", "anthropic-0.125.0", "anthropic-2.12.0", "ollama")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    source = str(ROOT / "tests" / "data" / "chat")
    async with live(models={"talker": {"source": source, "dtype": "float32"}}) as made:
        yield made


@pytest.mark.parametrize("environment", ENVIRONMENTS)
async def test_real_client_is_answered_as_documented(server: Live, environment: str) -> None:
    try:
        python = await asyncio.to_thread(clients.python_of, environment)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine
    script = Path(__file__).parent / f"ask_{environment.partition('-')[0]}.py"
    rows = await answers(python, script, server.url)
    ways = {str(way) for _, way, *_ in rows}
    assert ways >= {"whole", "streamed", "looped"}
    assert rows == [
        [one.name, way, *wanted(one, way)] for one in PROMPTS for way in asked_so(one, rows)
    ]


async def answers(python: Path, script: Path, address: str) -> list[list[object]]:
    """What a script tells of all prompts."""
    process = await asyncio.create_subprocess_exec(
        *(python, script, address), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    prompts = json.dumps([dataclasses.asdict(one) for one in PROMPTS])
    out, _ = await process.communicate(prompts.encode())
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


def asked_so(one: Prompt, rows: list[list[object]]) -> list[str]:
    """The ways in which a prompt is to be asked: all, but only tools can have results."""
    ways = dict.fromkeys(str(way) for _, way, *_ in rows)
    return [way for way in ways if one.tool or way != "looped"]


def wanted(one: Prompt, way: str) -> tuple[str, list[object]]:
    """Text and calls of the documented answer."""
    if way == "looped":
        return one.told, []
    return one.text, [[one.tool, one.arguments]] if one.tool else []
