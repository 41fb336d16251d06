"""What the real clients find on a server, our face of them finds too: the same checks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import fix_xinference
import pytest
import pytest_asyncio
from compatibility import DRIVER
from fix_xinference import Served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]

HERE = Path(__file__).parent
VERSION = "4.1.0"
"""The release whose methods ours are."""

LIGHT = """
import stelae.xinference as ours

for name in ours.__all__:
    if name.endswith("Handle"):
        way, _, kind = name.rpartition("Async")
        vars()[f"{'Async' if name != kind else ''}RESTful{kind}"] = getattr(ours, name)
"""
MODULES = {
    "__init__.py": "from stelae.xinference import *\n",
    "client/__init__.py": "",
    "client/restful/__init__.py": "",
    "client/restful/restful_client.py": LIGHT,
    "client/restful/async_restful_client.py": LIGHT,
}
"""The real package, in name."""

INSIDE = {
    "check_open": "looks at what the real client notes of the server's keys",
    "check_machine": "asks with a method that is not public",
    "check_handles": "names classes as the light package does",
}
"""Checks of what the real clients are inside, and what of it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with fix_xinference.serving(zoo, tmp_path_factory.mktemp("models")) as made:
        yield made


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which our face goes by the name of the real package."""
    folder = tmp_path_factory.mktemp("package")
    for name, text in MODULES.items():
        file = folder / "xinference_client" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    facts = folder / f"xinference_client-{VERSION}.dist-info"
    facts.mkdir()
    said = f"Metadata-Version: 2.1\nName: xinference-client\nVersion: {VERSION}\n"
    (facts / "METADATA").write_text(said, "utf-8")
    return folder


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_ours_finds_what_the_real_clients_find(
    way: str, server: Served, package: Path
) -> None:
    driver = await asyncio.create_subprocess_exec(
        *(sys.executable, DRIVER, HERE, server.open.url, server.locked.url, way),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(package)},
    )
    out, _ = await driver.communicate()
    assert driver.returncode == 0
    found = {row["check"]: row["fault"] for row in map(json.loads, out.splitlines())}
    assert len(found) > len(INSIDE)
    assert INSIDE.keys() <= found.keys()
    assert not {name: fault for name, fault in found.items() if fault and name not in INSIDE}
