"""The code in the page for Anthropic's clients runs, with the newest of them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import clients
import pytest
from live import live
from repo import ROOT, blocks

PAGE = ROOT / "docs" / "anthropic.md"
WRITTEN = "http://localhost:9997"


@pytest.mark.timeout(300)
async def test_documented_code_runs(zoo: Path, tmp_path: Path) -> None:
    try:
        python = await asyncio.to_thread(clients.python_of, "anthropic-2.12.0")
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine
    text = "\n".join(block.text for block in blocks(PAGE, "py"))
    script = tmp_path / "blocks.py"
    echo = {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}
    async with live(models={"qwen3": echo}) as server:
        script.write_text(text.replace(WRITTEN, server.url), "utf-8")
        process = await asyncio.create_subprocess_exec(
            *(python, "-W", "error", script),
            env={**os.environ, "ANTHROPIC_API_KEY": "any"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert "TextBlock" in said.decode()
    assert "['qwen3']" in said.decode()
