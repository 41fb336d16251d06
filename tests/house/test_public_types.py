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

UNSEEN = ("cli", "clip", "dialects", "nn")
"""Rooms that no public module imports; a public type that came from one would be unknown."""


@pytest.mark.slow
@pytest.mark.timeout(180)  # the checker reads some 300 files: 8 s of work on an idle machine
def test_public_names_are_fully_typed(tmp_path: Path) -> None:
    # The checker looks at installed packages only, not at a linked checkout.
    shutil.copytree(SOURCE, tmp_path / "stelae", ignore=_left_out)
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


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What need not be copied: two thirds of the work, for names that nobody asks about."""
    if Path(folder) == SOURCE:
        return {"__pycache__", *UNSEEN}
    inside_an_engine = Path(folder).parent == SOURCE / "engines"
    return {name for name in names if inside_an_engine and name != "__init__.py"}


def _is_public(name: str) -> bool:
    return name.count(".") == 1 or name.startswith(tuple(f"{room}." for room in PUBLIC[1:]))
