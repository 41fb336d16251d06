"""Matrix multiplies on this machine: what a linear layer can cost at best."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks import report
from stelae.nn.kernels.linear import lay_out
from stelae.nn.layers.linear import OneDnn

SHAPES = [
    (1, 384, 1152),
    (4, 384, 384),
    (16, 384, 1536),
    (128, 384, 1536),
    (1024, 384, 1152),
    (1024, 1536, 384),
    (1024, 768, 3072),
]


def rate(multiply: Callable[[], Tensor], operations: float) -> float:
    """Best GFLOP/s of five windows."""
    multiply()
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(20):
            multiply()
        best = min(best, (time.perf_counter() - started) / 20)
    return operations / best / 1e9


def forms(rows: int, inputs: int, outputs: int) -> list[float | None]:
    """GFLOP/s of PyTorch's multiply, of oneDNN's form and of the kernel's, if there is one.

    First in fp32, then in bf16.
    """
    operations = 2.0 * rows * inputs * outputs
    rates: list[float | None] = []
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(rows, inputs, dtype=dtype)
        weight = torch.randn(outputs, inputs, dtype=dtype)
        onednn, panels = OneDnn(weight, None), lay_out(weight, None)
        rates.append(rate(partial(linear, x, weight), operations))
        rates.append(rate(partial(onednn.product, x), operations))
        rates.append(panels and rate(partial(panels.product, x), operations))
    return rates


def main(arguments: Sequence[str]) -> None:
    """Print GFLOP/s per shape."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks linear", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args(arguments).threads
    torch.set_num_threads(threads)
    report.machine("torch")
    rows = [(f"{m} x {i} -> {o}", *map(_told, forms(m, i, o))) for m, i, o in SHAPES]
    kinds = ("plain", "oneDNN", "compiled here")
    columns = ("shape", *(f"{dtype} {kind}" for dtype in ("fp32", "bf16") for kind in kinds))
    report.table(f"GFLOP/s, {threads} thread(s)", columns, rows)


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
