"""Whether the tiles of a processor (AMX) can be multiplied with here."""

from __future__ import annotations

import os
import subprocess
from functools import cache

import torch

from stelae.nn.kernels.build import BuildFailed, program

SECONDS = 10.0
"""Time for the program that tries tiles; a few milliseconds are usual."""


def offered() -> bool:
    """Whether the processor has tiles, of which oneDNN makes use too.

    Whoever keeps oneDNN from it by its variable, as ``ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16``, wants
    none here either.
    """
    most = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    return ("AMX" in most or most in ("ALL", "DEFAULT")) and torch.cpu._is_amx_tile_supported()


@cache
def work(*flags: str) -> bool:
    """Whether kernels may use them: this system lets them, and they multiply rightly.

    A program of its own finds that out, so that no trial can harm this process.

    Args:
        flags: Of the compiler, for these kernels.
    """
    if not offered():
        return False
    try:
        tried = subprocess.run([program("tiles", *flags)], timeout=SECONDS, capture_output=True)
    except (BuildFailed, OSError, subprocess.SubprocessError):
        return False
    return tried.returncode == 0 and torch.cpu._init_amx()
