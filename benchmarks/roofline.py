"""What fraction of the multiply rate encoders reach in process, and where the rest goes."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import report
from benchmarks.texts import LENGTHS
from stelae.engines.encoder.watch import ATTENTION, LINEARS, NORMS, Watch
from stelae.engines.hardware import calm_openmp
from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels import attention, linear
from stelae.nn.kernels.variants import note
from stelae.nn.layers.linear import prepack

MODELS: dict[str, dict[str, Any]] = {
    "MiniLM": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "BERT-base": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072},
    "XLM-R-large": {
        "hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096,
        "num_attention_heads": 16,
    },
}  # fmt: skip
"""Sizes; the weights are random, which costs the same."""

COMMON = {"vocab_size": 1000, "num_attention_heads": 12, "max_position_embeddings": 514}

ROWS = 1024
"""Tokens in the multiplies that are the limit."""

PARTS = (LINEARS, ATTENTION, NORMS)
"""What is told apart; all else is glue."""

Work = Callable[[], object]


def encoder(size: dict[str, Any], dtype: torch.dtype) -> Backbone:
    """A BERT of a size, laid out for this machine."""
    backbone = backbone_class("BertModel").from_config({**COMMON, **size})
    generator = torch.Generator().manual_seed(3)
    for parameter in backbone.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    backbone.to(dtype)
    prepack(backbone)
    return backbone.eval()


def batch_of(kind: str, tokens: int) -> TokenBatch:
    """Sequences of the lengths of a kind of text, so many tokens in all."""
    rng, lengths = random.Random(1), [LENGTHS[kind](random.Random(0))]
    while sum(lengths) < tokens:
        lengths.append(LENGTHS[kind](rng))
    ids = np.random.default_rng(1)
    return pack([ids.integers(5, 1000, n).astype(np.int32) for n in lengths])


def multiplies(size: dict[str, Any], dtype: torch.dtype) -> list[Work]:
    """The linear layers of one block alone, on ``ROWS`` tokens."""
    width, inner = size["hidden_size"], size["intermediate_size"]
    made = []
    for inputs, outputs in ((width, 3 * width), (width, width), (width, inner), (inner, width)):
        x = torch.randn(ROWS, inputs).to(dtype)
        weight = torch.randn(outputs, inputs).to(dtype)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        made.append(_multiply(x, packed))
    return made


def _multiply(x: Tensor, packed: Tensor) -> Work:
    return lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")


def seconds(work: Work, clock: Callable[[], float], times: int = 1) -> float:
    """Time of one run, the mean of a few."""
    started = clock()
    for _ in range(times):
        work()
    return (clock() - started) / times


def parts(work: Work, clock: Callable[[], float]) -> dict[str, float]:
    """Shares of the time of a run, by what takes it."""
    with Watch(clock) as watch:
        whole = seconds(work, clock)
    shares = {part: watch.spent[part] / whole for part in PARTS}
    return {**shares, "glue": 1 - sum(shares.values())}


@torch.inference_mode()
def main(arguments: Sequence[str]) -> None:
    """Run model and bare multiplies in turn, and print the fractions."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks roofline", description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--kinds", nargs="+", default=["passage", "short", "mixed"])
    parser.add_argument("--tokens", type=int, default=4096, help="in one batch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    options = parser.parse_args(arguments)
    calm_openmp()
    torch.set_num_threads(options.threads)
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    report.machine("torch", "stelae")
    dtype = getattr(torch, options.dtype)
    report.CONSOLE.print(note(attention.SOURCE, dtype), linear.note(dtype), sep="\n")
    rows = []
    for name in options.models:
        size = MODELS[name]
        model, bare = encoder(size, dtype), multiplies(size, dtype)
        for kind in options.kinds:
            batch = batch_of(kind, options.tokens)
            rows.append(_row(name, kind, model, bare, batch, options.rounds, clock))
    measured = ("model", "texts", "us/token", "limit us", "fraction")
    named = "CPU time" if options.threads == 1 else "wall time"
    title = (
        f"{options.dtype}, {options.threads} thread(s), {named}, batches of {options.tokens} tokens"
    )
    report.table(title, (*measured, *PARTS, "glue"), rows)


def _row(
    name: str,
    kind: str,
    model: Backbone,
    bare: Sequence[Work],
    batch: TokenBatch,
    rounds: int,
    clock: Callable[[], float],
) -> tuple[str, ...]:
    tokens, layers = len(batch.ids), len(model.layers)
    limits, spent = [], []
    for turn in range(rounds + 1):
        limit = layers * sum(seconds(work, clock, 5) for work in bare) / ROWS
        took = seconds(lambda: model(batch), clock) / tokens
        if turn:
            limits.append(limit)
            spent.append(took)
    shares = parts(lambda: model(batch), clock)
    return (
        name,
        kind,
        f"{1e6 * median(spent):.1f}",
        f"{1e6 * median(limits):.1f}",
        f"{report.ratio(limits, spent):.2f}",
        *(f"{shares[part]:.0%}" for part in (*PARTS, "glue")),
    )
