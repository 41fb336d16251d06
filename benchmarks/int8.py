"""Int8 against bf16, whole encoders with random weights, in turn on the same lengths."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from copy import deepcopy
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks import report
from benchmarks.architectures import COMMON, LENGTHS
from stelae.engines.hardware import calm_openmp, cores
from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels.quantised import kernel_for
from stelae.nn.kernels.variants import int8_variant
from stelae.nn.layers.linear import prepack
from stelae.nn.quantise import layers_of, quantise

SIZES: dict[str, dict[str, Any]] = {
    "MiniLM": COMMON,
    "BERT-base": {
        **COMMON, "hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072,
    },
}  # fmt: skip
"""Those of all-MiniLM-L6-v2 and of bert-base."""

KINDS = {**LENGTHS, "query": (12,)}
"""Lengths of the texts of a batch."""


def runs() -> bool:
    """Whether this machine multiplies both."""
    return int8_variant(torch.bfloat16) is not None


def build(size: str) -> tuple[Backbone, Backbone]:
    """An encoder in int8, and the same in bf16."""
    plain: Backbone = backbone_class("BertModel").from_config(SIZES[size])
    generator = torch.Generator().manual_seed(3)
    for parameter in plain.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    plain.to(torch.bfloat16)
    int8 = deepcopy(plain)
    named = {name: tensor.float() for name, tensor in plain.state_dict().items()}
    ones = {name: torch.ones(named[f"{name}.weight"].shape[1]) for name in layers_of(int8)}
    quantise(int8, named, kernel_for(torch.bfloat16), ones)
    for backbone in (int8, plain):
        prepack(backbone.eval())
    return int8, plain


def timed(backbone: Backbone, batch: TokenBatch) -> float:
    """Seconds of one pass."""
    started = time.perf_counter()
    backbone(batch)
    return time.perf_counter() - started


@torch.inference_mode()
def main(arguments: Sequence[str]) -> None:
    """Print tokens per second of both, and the middle of the ratios round by round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks int8", description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=cores())
    options = parser.parse_args(arguments)
    if not runs():
        parser.error("this processor lacks AVX512-VNNI or AVX512-BF16")
    calm_openmp()
    torch.set_num_threads(options.threads)
    report.machine("torch", "stelae")
    rng = np.random.default_rng(1)
    rows = []
    for size in options.sizes:
        int8, plain = build(size)
        for kind in options.kinds:
            batch = pack([rng.integers(5, 1000, n).astype(np.int32) for n in KINDS[kind]])
            taken = [(timed(int8, batch), timed(plain, batch)) for _ in range(options.rounds + 2)]
            ours, theirs = (len(batch.ids) / min(times) for times in zip(*taken[2:], strict=True))
            gain = median(other / one for one, other in taken[2:])
            rows.append((size, kind, f"{theirs:,.0f}", f"{ours:,.0f}", f"{gain:.2f}"))
    title = f"tokens/s, {options.threads} thread(s)"
    report.table(title, ("size", "texts", "bf16", "int8", "int8 to bf16"), rows)
