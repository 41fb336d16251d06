"""The unmodified ``ollama`` client against a server of ours.

It runs in an environment of its own (``tools/clients.py``). Where that cannot be made, its checks
are skipped and say why.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import clients
import fix_told
import pytest
import pytest_asyncio
from fix_hub import repo_of, running_hub
from live import Live, live

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

HERE = Path(__file__).parent
TALKER = HERE.parents[1] / "data" / "chat"
TABLE = HERE.parents[2] / "docs" / "compatibility" / "ollama.md"
RECORD = os.environ.get("STELAE_COMPATIBILITY") == "record"

PAGE = """# Ollama's own client

The unmodified `ollama` {version} against a server of this version: each row is a check in
`tests/contract/ollama/checks.py`, run by `make test` in an environment of its own
(`tools/clients.py`). The table is written by those tests.

{table}

[Ollama's clients](../ollama.md) says how to use them, and what differs.
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(
    zoo: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Live, Live]]:
    folder = zoo / "qwen3-chat"
    echo = {"source": str(folder), "engine": "fake_text"}
    models = {
        "told": {**fix_told.settings(folder), "aliases": ["org/told"]},
        "spare": echo,
        "tiny": {"source": str(folder), "dtype": "float32"},
        "talker": {"source": str(TALKER), "dtype": "float32"},
        "vectors": {"source": "embedded"},
        "nested": {"source": "embedded", "matryoshka": [16, 32]},
    }
    cache = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch, running_hub() as hub:
        fix_told.install(patch)
        hub.repos["org/tiny-chat"] = repo_of(folder)
        reach = {"endpoint": hub.url, "cache": str(cache), "pull": True}
        keyed = live(models={"mortal": echo}, api_keys=["sesame"], placement="process")
        async with live(models=models, hub=reach) as made, keyed as locked:
            await locked.house.fleet.load("mortal")
            yield made, locked


def rows() -> dict[str, str]:
    """What each check is about, by its name."""
    tree = ast.parse((HERE / "checks.py").read_text("utf-8"))
    return {
        node.name: ast.get_docstring(node) or node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("check_")
    }


def version() -> str:
    """The client's version, as pinned."""
    pins = (clients.PINS / "ollama.txt").read_text("utf-8").splitlines()
    return next(line.partition("==")[2] for line in pins if line.startswith("ollama=="))


async def faults(servers: tuple[Live, Live]) -> dict[str, str | None]:
    """What is wrong by check, as the client sees it."""
    python = await asyncio.to_thread(clients.python_of, "ollama")
    made, locked = servers
    driver = await asyncio.create_subprocess_exec(
        *(python, HERE / "driver.py", made.url, locked.url.rpartition(":")[2]),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await driver.communicate()
    assert driver.returncode == 0
    return {row["check"]: row["fault"] for row in map(json.loads, out.splitlines())}


async def test_real_client_finds_what_it_asks_for(servers: tuple[Live, Live]) -> None:
    try:
        found = await faults(servers)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine
    assert found.keys() == rows().keys()
    wrong = {name: fault for name, fault in found.items() if fault}
    assert not wrong, "\n\n".join(f"{name}: {fault}" for name, fault in wrong.items())
    lines = [f"| what is asked | {version()} |", "| --- | --- |"]
    page = PAGE.format(
        version=version(),
        table="\n".join([*lines, *(f"| {text} | yes |" for text in rows().values())]),
    )
    if RECORD:
        TABLE.write_text(page, "utf-8")
    else:
        known = TABLE.read_text("utf-8")
        assert known == page, "STELAE_COMPATIBILITY=record writes the table anew"
