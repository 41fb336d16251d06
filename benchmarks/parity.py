"""Vectors against sentence-transformers: 1,000 real texts of 1 to 2,000 tokens."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from benchmarks import checkpoint, report
from benchmarks.texts import texts
from stelae.catalog.catalog import Catalog
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.engine import load
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item

Vectors = NDArray[np.float32]


def encode(runner: Runner, samples: Sequence[str]) -> Vectors:
    """Vectors of one call."""
    call = EncodeCall(model="default", items=[Item(text=text) for text in samples])
    vectors: Vectors = runner.submit(call).result().dense
    return vectors


def company(runner: Runner, samples: Sequence[str], together: Vectors) -> float:
    """Largest difference between a text in one batch, in other batches, and alone."""
    order = random.Random(5).sample(range(len(samples)), len(samples))
    elsewhere = encode(runner, [samples[i] for i in order])
    alone = np.concatenate([encode(runner, [samples[i]]) for i in order[:200]])
    return float(
        max(np.abs(elsewhere - together[order]).max(), np.abs(alone - together[order[:200]]).max())
    )


def main(arguments: Sequence[str]) -> None:
    """Print the largest difference and the smallest cosine per number format."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks parity", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args(arguments)
    report.machine("torch", "sentence-transformers", "stelae")
    samples = texts("wide", options.count, checkpoint.tokenizer())
    spec = Catalog().spec("default")
    reference = SentenceTransformer(spec.folder, device="cpu").encode(samples)
    rows = []
    for dtype in (ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16):
        runner = Runner(load(spec, EngineOptions(dtype=dtype)))
        ours = encode(runner, samples)
        cosines = (ours * reference).sum(axis=1)
        difference = float(np.abs(ours - reference).max())
        rows.append(
            (
                dtype.value,
                f"{difference:.2e}",
                f"{cosines.min():.7f}",
                f"{cosines.mean():.7f}",
                f"{company(runner, samples, ours):.1e}",
            )
        )
        runner.close()
    columns = ("dtype", "max abs difference", "worst cosine", "mean cosine", "alone or in company")
    report.table(f"{len(samples)} texts against sentence-transformers", columns, rows)
