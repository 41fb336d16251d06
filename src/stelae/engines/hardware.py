"""What the processor can do, read without importing a model library."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
"""Processor features that make bf16 faster than fp32."""

_GPUS = Path("/proc/driver/nvidia/gpus")

SPIN_COUNT = "1000"
"""Turns that an OpenMP thread waits awake: about the time of a small gap between layers."""


@cache
def cpu_flags() -> frozenset[str]:
    """Feature flags of the first processor; empty where ``/proc/cpuinfo`` is absent."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def bfloat16_feature() -> str | None:
    """The feature that makes bf16 worth while here, or ``None``."""
    return next((flag for flag in BFLOAT16_FLAGS if flag in cpu_flags()), None)


def gpus(where: Path = _GPUS) -> tuple[str, ...]:
    """Full names of this machine's NVIDIA GPUs, as their driver lists them."""
    found = []
    for card in sorted(where.glob("*/information")):
        lines = card.read_text("utf-8", "replace").splitlines()
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return tuple(name for name in found if name)


MULTIPLIES = "192"
"""Prepared multiplies that are kept; each new number of tokens needs about five, of 0.4 MB."""


def bound_onednn() -> None:
    """Bound what is kept for sizes that may never come again; call before torch.

    By default torch and oneDNN each keep 1,024 prepared multiplies, half a gigabyte.
    Whoever has set a number keeps it.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", MULTIPLIES)
    os.environ.setdefault("LRU_CACHE_CAPACITY", MULTIPLIES)


def calm_openmp() -> None:
    """Let OpenMP threads sleep soon instead of spinning while they wait; call before torch.

    By default a waiting thread of libgomp spins for many milliseconds. With as much
    as one other busy process on the machine it then holds the core that the thread it
    waits for needs: a batch of 16 short texts took 12 to 3,600 ms here, and takes 9 to
    28 ms with a short spin (``benchmarks/openmp.py``). Whoever has set a policy keeps it.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
