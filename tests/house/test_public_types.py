"""Everything a program that uses Stelae can name has a type that all checkers agree on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PUBLIC = ("stelae", "stelae.client", "stelae.errors", "stelae.local", "stelae.types")
SOURCE = Path(__file__).parents[2] / "src" / "stelae"


@pytest.mark.slow
def test_public_names_are_fully_typed(tmp_path: Path) -> None:
    # The checker looks at installed packages only, not at a linked checkout.
    shutil.copytree(SOURCE, tmp_path / "stelae", ignore=shutil.ignore_patterns("__pycache__"))
    places = os.pathsep.join([str(tmp_path), sysconfig.get_path("purelib")])
    checker = Path(sys.executable).with_name("basedpyright")
    line = [checker, "--pythonpath", sys.executable, "--verifytypes", "stelae", "--ignoreexternal"]
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": places},
        check=False,
    )
    assert "Symbols exported by" in done.stdout
    heads = [row for row in done.stdout.splitlines() if row.startswith("stelae.")]
    assert [row for row in heads if _is_public(row)] == []


def _is_public(name: str) -> bool:
    return name.count(".") == 1 or name.startswith(tuple(f"{room}." for room in PUBLIC[1:]))
