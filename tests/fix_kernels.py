"""The compiled kernels: each kind that runs here, and what watches them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels import attention, blocks, build, cached, linear, rows
from stelae.nn.kernels.variants import (
    INT8_VARIANTS,
    TILED,
    VARIANTS,
    WITHOUT_TILES,
    Kernel,
    Source,
    Variant,
    compiled,
)

MODEL_OF_TILES = Path(__file__).parent / "unit" / "nn" / "tiles_model.h"

MODELLED = replace(
    TILED,
    name="AMX-BF16 as its manual defines it",
    runs=WITHOUT_TILES.runs,
    flags=(*TILED.flags, "-DSTELAE_TILES_MODEL", "-include", str(MODEL_OF_TILES)),
)
"""Tiles for processors that have none."""

TRAPPED = MODEL_OF_TILES.with_name("tiles_trapped.cpp")
"""A part of programs that lets such processors carry out the instructions themselves."""

variants = pytest.mark.parametrize(
    "variant", [v for v in (*VARIANTS, MODELLED) if v.runs()], ids=lambda variant: variant.name
)
int8_variants = pytest.mark.parametrize(
    "variant", [v for v in INT8_VARIANTS if v.runs()], ids=lambda variant: variant.name
)
needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, build.COMPILERS)), reason="no C++ compiler is installed"
)

ROUNDING = {torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8}
"""Largest error of rounding to a number format, relative to the number."""


def batch_of(lengths: Sequence[int], seen: Sequence[int] = ()) -> TokenBatch:
    """Sequences of so many tokens, of which so many are seen."""
    return pack([np.zeros(n, np.int32) for n in lengths], seen=seen)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Lets kernels take so many."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def kernels(find: Callable[[Source, torch.dtype], Kernel | None]) -> Iterator[None]:
    """Lets models find other kernels than the best that run here."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (attention, blocks, cached, linear, rows):
            patch.setattr(module, "best", find)
        yield


def only(variant: Variant) -> Callable[[Source, torch.dtype], Kernel | None]:
    """Finds kernels of one kind."""
    return lambda source, dtype: compiled(source, variant) if dtype == variant.dtype else None


def none(source: Source, dtype: torch.dtype) -> None:
    """Finds no kernel."""


def watched(name: str, harness: Path, variant: Variant, folder: Path, *parts: Path) -> None:
    """Run a kernel under the sanitizers for addresses and for undefined behaviour.

    Args:
        name: Of the kernel.
        harness: A program that calls it.
        variant: For which numbers and processor.
        folder: Where the program is compiled.
        parts: Sources of what else belongs to the program.
    """
    compiler = next(filter(None, map(shutil.which, build.COMPILERS)))
    sources, program = Path(build.__file__).parent, folder / "harness"
    subprocess.run(
        [
            compiler,
            *("-O1", "-g", "-std=c++17", "-w", "-fopenmp", "-fsanitize=address,undefined"),
            *("-fno-sanitize-recover=all", *variant.flags, f"-I{sources}"),
            *(str(sources / f"{name}.cpp"), str(harness), *map(str, parts)),
            *("-ldl", "-o", str(program)),
        ],
        check=True,
    )
    subprocess.run([str(program)], check=True, env={"ASAN_OPTIONS": "detect_leaks=0"})
