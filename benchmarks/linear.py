"""Matrix multiplies on this machine: what a linear layer can cost at best."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks import report

SHAPES = [
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


def forms(rows: int, inputs: int, outputs: int) -> list[float]:
    """GFLOP/s of the plain and the prepacked form, in fp32 and in bf16."""
    operations = 2.0 * rows * inputs * outputs
    rates = []
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(rows, inputs, dtype=dtype)
        weight = torch.randn(outputs, inputs, dtype=dtype)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        rates.append(rate(lambda x=x, w=weight: linear(x, w), operations))
        rates.append(
            rate(
                lambda x=x, w=packed: torch.ops.mkldnn._linear_pointwise(
                    x, w, None, "none", [], ""
                ),
                operations,
            )
        )
    return rates


def main(arguments: Sequence[str]) -> None:
    """Print GFLOP/s per shape."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks linear", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args(arguments).threads
    torch.set_num_threads(threads)
    report.machine("torch")
    rows = [
        (f"{m} x {i} -> {o}", *(f"{value:,.0f}" for value in forms(m, i, o))) for m, i, o in SHAPES
    ]
    columns = ("shape", "fp32 plain", "fp32 prepacked", "bf16 plain", "bf16 prepacked")
    report.table(f"GFLOP/s, {threads} thread(s)", columns, rows)
