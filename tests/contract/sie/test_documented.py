"""The code in SIE's own reference, with its client and with ours: only the import lines change.

What the reference leaves open (which documents, which database) is filled in.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import clients
import pytest
import pytest_asyncio
from live import Live, live
from PIL import Image

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

HERE = Path(__file__).parent / "documented"
RUNNER = Path(__file__).with_name("script_runner.py")
BLOCKS = sorted(HERE.glob("*.py"))
REAL = "sie-0.10.1"

NAMES = {
    "BAAI/bge-m3": "bge-m3",
    "BAAI/bge-reranker-v2-m3": "cross-encoder",
    "urchade/gliner_multi-v2.1": "gliner-span",
    "jinaai/jina-colbert-v2": "colbert-native",
    "openai/clip-vit-base-patch32": "clip",
}
"""Small checkpoints in the places of those that the reference names."""

IMPORT = re.compile(r"^from sie_sdk[\w.]* import", re.MULTILINE)
ADDRESS = re.compile(r"http://(localhost:8080|router\.example\.com)")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    models = {name: {"source": str(zoo / folder)} for name, folder in NAMES.items()}
    async with live(models=models, cluster={"accept_any_profile": True}) as made:
        for name in models:
            await made.house.fleet.load(name)
        yield made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documented")
    Image.new("RGB", (64, 48), (200, 30, 30)).save(folder / "photo.jpg")
    return folder


def real() -> Path:
    try:
        return clients.python_of(REAL)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no Python 3.12, or no package index, on this machine


@pytest.mark.parametrize("whose", ["theirs", "ours"])
async def test_documented_code_runs(whose: str, server: Live, place: Path) -> None:
    python = Path(sys.executable)
    if whose == "theirs":
        python = await asyncio.to_thread(real)
    scripts = [written(block, whose, server.url, place) for block in BLOCKS]
    runner = await asyncio.create_subprocess_exec(
        *(python, RUNNER, *scripts), cwd=place, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await runner.communicate()
    told = [json.loads(line) for line in out.splitlines()]
    assert len(told) == len(scripts)
    assert not [row["fault"] for row in told if row["fault"]]
    said = {Path(row["file"]).stem: row["said"] for row in told}
    assert said[f"02_score_{whose}"].startswith("Rank 0: ")
    assert said[f"08_errors_{whose}"] == "Invalid request: MODEL_NOT_FOUND (404)\n"
    assert said[f"10_pools_{whose}"] == "Pool state: active, workers: 1\n"


def written(block: Path, whose: str, url: str, place: Path) -> Path:
    """The block as a script for one of the clients."""
    text = ADDRESS.sub(url, block.read_text("utf-8"))
    if whose == "ours":
        text, changed = IMPORT.subn("from stelae.sie import", text)
        assert changed
    script = place / f"{block.stem}_{whose}.py"
    script.write_text(text, "utf-8")
    return script
