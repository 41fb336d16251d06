"""The unmodified ``sie-sdk``, three generations of it, against a server of ours.

Each version runs in an environment of its own (``tools/clients.py``). Where one cannot be
made, as without Python 3.12, its checks are skipped and say why.
"""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import clients
import pytest
import pytest_asyncio
from fix_faults import FAULTY, install
from live import FAKE, Live, live
from msgspec.structs import replace

from stelae.catalog.spec import Extractor, Finding

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

HERE = Path(__file__).parent
VERSIONS = ("0.1.10", "0.3.4", "0.10.1")


def rows() -> dict[str, str]:
    """What each check is about, by its name."""
    tree = ast.parse((HERE / "checks.py").read_text("utf-8"))
    return {
        node.name: ast.get_docstring(node) or node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("check_")
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    broken = tmp_path_factory.mktemp("broken")
    (broken / "config.json").write_text("{", "utf-8")
    models = {
        "fake": {**FAKE, "aliases": ["org/fake"]},
        "finder": FAKE,
        "faulty": FAULTY,
        "broken": {"source": str(broken)},
        "clip": {"source": str(zoo / "clip")},
        "reranker": {"source": str(zoo / "cross-encoder")},
        "late": {"source": str(zoo / "colbert-native")},
    }
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        async with live(models=models, api_keys=["sesame"]) as made:
            for name in models.keys() - {"broken"}:
                await made.house.fleet.load(name)
            find_names(made)
            yield made


def find_names(made: Live) -> None:
    """Let one of the fake models say that it finds names."""
    (replica,) = made.house.fleet._deployments.controller.replicas("finder")
    finds = Extractor(layout="fake", finds=(Finding.ENTITIES,))
    spec = replace(replica.deployment.spec, extraction=finds)
    replica.deployment = replace(replica.deployment, spec=spec)


async def faults(version: str, url: str) -> dict[str, str | None]:
    """What is wrong by check, as that version of the client sees it."""
    python = await asyncio.to_thread(clients.python_of, f"sie-{version}")
    driver = await asyncio.create_subprocess_exec(
        python, HERE / "driver.py", url, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await driver.communicate()
    assert driver.returncode == 0
    told = [json.loads(line) for line in out.splitlines()]
    return {row["check"]: row["fault"] for row in told}


@pytest.mark.parametrize("version", VERSIONS)
async def test_real_client_finds_what_it_asks_for(version: str, server: Live) -> None:
    try:
        found = await faults(version, server.url)
    except clients.Absent as absent:
        pytest.skip(str(absent))
    assert found.keys() == rows().keys()
    wrong = {name: fault for name, fault in found.items() if fault and not is_skip(fault)}
    assert not wrong, "\n\n".join(f"{name}: {fault}" for name, fault in wrong.items())


def is_skip(fault: str) -> bool:
    return fault.startswith("skip: ")
