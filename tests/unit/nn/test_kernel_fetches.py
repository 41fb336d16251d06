"""That compilers leave in the kernels what brings memory near, which no result shows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from fix_kernels import MODELLED, needs_compiler, variants

from stelae.nn.kernels import build
from stelae.nn.kernels.variants import TILED, Variant

TILES = 6
"""Functions for one row to six at a time."""

INSTRUCTIONS = ("ldtilecfg", "tileloadd", "tdpbf16ps", "tilestored", "tilerelease")
"""Of a processor that has tiles."""


def assembly(name: str, variant: Variant, folder: Path) -> str:
    """What a kernel is compiled to, its loops as they are written."""
    compiler = next(filter(None, map(shutil.which, build.COMPILERS)))
    source, made = Path(build.__file__).parent / f"{name}.cpp", folder / "it.s"
    options = (*build.FLAGS, *variant.flags, "-O2", "-fno-unroll-loops")
    subprocess.run([compiler, *options, "-S", str(source), "-o", str(made)], check=True)
    return made.read_text("utf-8")


@pytest.mark.slow
@needs_compiler
@variants
def test_the_next_weights_are_fetched_while_rows_are_multiplied(
    variant: Variant, tmp_path: Path
) -> None:
    functions = 2 if variant in (TILED, MODELLED) else TILES  # for sixteen rows, and for 32
    assert assembly("linear", variant, tmp_path).count("prefetcht1") >= functions


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("name", ["linear", "postnorm", "prenorm"])
def test_rows_are_multiplied_in_tiles_and_nowhere_else(name: str, tmp_path: Path) -> None:
    made = assembly(name, TILED, tmp_path)
    assert all(instruction in made for instruction in INSTRUCTIONS)
    taken, given = (made.count(word) for word in ("ldtilecfg", "tilerelease"))
    assert 0 < taken <= given


@pytest.mark.slow
@needs_compiler
@variants
def test_the_next_head_is_fetched_while_one_is_attended_to(
    variant: Variant, tmp_path: Path
) -> None:
    """Keys and values where those of this are laid out, queries and results by each tile."""
    assert assembly("attention", variant, tmp_path).count("prefetcht0") >= 2 + 2 * TILES
