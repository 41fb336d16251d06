"""Who may import whom, and what importing a room loads."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from repo import ROOT, SOURCE, modules, name

LOADERS = {"cluster/engines.py", "engines/registry.py", "engines/whisper_ct2/engine.py"}
"""Files that load engines, or what few loads of one need, and so import late."""

CONTRACTS: dict[str, dict[str, Any]] = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}


@pytest.mark.slow
def test_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_room_has_its_layer() -> None:
    layers = {room.strip() for row in CONTRACTS["rooms"]["layers"] for room in row.split("|")}
    assert {f"stelae.{room}" for room in _rooms(SOURCE)} == layers


SHARED = {
    "stelae.engines.chat",
    "stelae.engines.text",
    "stelae.engines.extract",
    "stelae.engines.listening",
    "stelae.engines.references",
}
"""What engines share, and what they are compared with: no engine of its own."""


def test_every_dialect_and_engine_is_under_contract() -> None:
    for contract, folder in (("dialects", "dialects"), ("engines", "engines")):
        found = {f"stelae.{folder}.{path.name}" for path in _folders(SOURCE / folder)}
        assert found - SHARED == set(CONTRACTS[contract]["modules"])


def test_only_nn_and_engines_may_import_model_libraries() -> None:
    light = set(CONTRACTS["light"]["source_modules"])
    free = {"stelae.nn", "stelae.engines", "stelae.version", "stelae.audio"}
    assert {f"stelae.{room}" for room in _rooms(SOURCE)} - free == light


@pytest.mark.parametrize(
    ("room", "foreign"),
    [
        ("stelae.client", {"torch", "starlette", "rich", "httpx", "numpy", "pydantic", "yaml"}),
        ("stelae.clip", {"torch", "starlette", "rich", "httpx", "grpc", "websockets", "docarray"}),
        (
            "stelae.xinference",
            {"torch", "starlette", "rich", "httpx", "numpy", "requests", "aiohttp"},
        ),
        ("stelae.cli.app", {"torch", "starlette", "rich", "httpx", "numpy", "pydantic"}),
        ("stelae.server.run", {"torch", "transformers", "tokenizers", "httpx", "typer"}),
        ("stelae.cluster.worker", {"torch", "starlette", "uvicorn", "httpx", "typer", "pydantic"}),
        ("stelae.engines.registry", {"torch", "transformers", "sentence_transformers"}),
    ],
)
def test_importing_a_room_loads_nothing_foreign(room: str, foreign: set[str]) -> None:
    code = f"import sys, {room}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in done.stdout.split()}
    assert "stelae" in loaded
    assert loaded & foreign == set()


def test_nothing_of_ours_is_imported_inside_functions() -> None:
    late = [
        f"{name(file)}:{node.lineno}"
        for file, tree in modules()
        if not _may_import_late(file)
        for node in _inside_functions(tree)
    ]
    assert late == []


def _rooms(folder: Path) -> set[str]:
    files = {file.stem for file in folder.glob("*.py") if file.stem != "__init__"}
    return files | {path.name for path in _folders(folder)}


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if (path / "__init__.py").exists()]


def _may_import_late(file: Path) -> bool:
    place = file.relative_to(SOURCE).as_posix()
    return place in LOADERS or place.startswith("cli/")


def _inside_functions(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom) and _is_ours(node):
                yield node


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] == "stelae"
    return any(alias.name.partition(".")[0] == "stelae" for alias in node.names)
