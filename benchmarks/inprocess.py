"""Tokens/s in one process against ``SentenceTransformer.encode`` at its defaults."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from sentence_transformers import SentenceTransformer

from benchmarks import checkpoint, report
from benchmarks.texts import texts
from stelae.catalog.catalog import Catalog
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.hardware import cores
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item


def contender(dtype: ComputeDtype) -> Callable[[list[str]], None]:
    """Our engine behind its scheduler, as the embedded client uses it."""
    catalog = Catalog()
    spec = catalog.spec(catalog.register_argument(f"bench={checkpoint.folder()}").name)
    runner = Runner(load(spec, EngineOptions(dtype=dtype)))

    def encode(samples: list[str]) -> None:
        items = [Item(text=text) for text in samples]
        runner.submit(EncodeCall(model="bench", items=items)).result()

    return encode


def main(arguments: Sequence[str]) -> None:
    """Time all contenders in turn on the same texts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks inprocess", description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=["mixed", "passage", "short"])
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    report.machine("torch", "sentence-transformers", "stelae")
    reference = SentenceTransformer(str(checkpoint.folder()), device="cpu")
    contenders: dict[str, Callable[[list[str]], object]] = {
        "sentence-transformers": reference.encode,
        "stelae float32": contender(ComputeDtype.FLOAT32),
        "stelae bfloat16": contender(ComputeDtype.BFLOAT16),
    }
    torch.set_num_threads(cores())
    for kind in options.kinds:
        samples = texts(kind, options.count, checkpoint.tokenizer())
        tokens = sum(len(e.ids) for e in checkpoint.tokenizer().encode_batch(samples))
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(options.rounds + 1):
            for name, encode in contenders.items():
                started = time.perf_counter()
                encode(samples)
                rates[name].append(tokens / (time.perf_counter() - started))
        base = rates["sentence-transformers"][1:]
        rows = [
            (name, f"{median(r[1:]):,.0f}", f"{report.ratio(r[1:], base):.2f}")
            for name, r in rates.items()
        ]
        title = f"{kind}: {len(samples)} texts, {tokens / len(samples):.0f} tokens on average"
        report.table(title, ("engine", "tokens/s", "ratio"), rows)
