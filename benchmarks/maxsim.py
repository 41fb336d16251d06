"""Late interaction against plain NumPy: a product and a maximum for each document in turn."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from stelae.types import EmbeddingDtype, Ragged
from stelae.vectors.maxsim import maxsim, maxsim_batch
from stelae.vectors.quantize import dequantize, quantize

Floats = NDArray[np.float32]

KINDS = {"titles": 12, "sentences": 32, "passages": 140, "pages": 1030}
"""Tokens of a document, in the middle."""

TOKENS, QUERY, WIDTH = 200_000, 32, 128


def plain(queries: Sequence[Floats], documents: Sequence[NDArray[np.floating]]) -> Floats:
    """What every tutorial shows, and clients of other servers do."""
    scores = np.zeros((len(queries), len(documents)), np.float32)
    for column, document in enumerate(documents):
        wide = np.asarray(document, np.float32)
        for row, query in enumerate(queries):
            scores[row, column] = np.sum(np.max(np.matmul(query, wide.T), axis=1))
    return scores


def plain_int8(queries: Sequence[Floats], packed: Ragged) -> Floats:
    """The same for numbers that must be read back first."""
    wide = dequantize(packed.values, packed.quantization)
    return plain(queries, np.split(wide, packed.offsets[1:-1]))


def padded(queries: Sequence[Floats], documents: Sequence[Floats]) -> Floats:
    """All pairs of tokens at once, ``(Q, N, T)`` of them, documents filled up to one length."""
    longest = max(map(len, documents))
    stack = np.stack([np.pad(d, ((0, longest - len(d)), (0, 0)), "edge") for d in documents])
    rows = [np.einsum("qd,ntd->qnt", q, stack, optimize=True).max(axis=2).sum(0) for q in queries]
    return np.stack(rows)


def unit(rows: NDArray[np.float64]) -> Floats:
    """Vectors of length 1."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def corpus(middle: int, rng: np.random.Generator) -> list[Floats]:
    """Documents of log-normal lengths."""
    count = TOKENS // middle
    lengths = np.clip(rng.lognormal(math.log(middle), 0.3, count), 2, 2048).astype(int)
    return [unit(rng.normal(size=(length, WIDTH))) for length in lengths]


def pack(documents: Sequence[Floats]) -> Ragged:
    """All documents end to end."""
    offsets = np.cumsum([0, *map(len, documents)])
    return Ragged(values=np.concatenate(documents), offsets=offsets)


Run = Callable[[], Floats]


def cases(documents: list[Floats], queries: list[Floats]) -> dict[str, tuple[Run, Run]]:
    """Plain NumPy and ours, by name."""
    halves = [document.astype(np.float16) for document in documents]
    packed = pack(documents)
    codes, reading = quantize(packed.values, EmbeddingDtype.INT8)
    small = Ragged(values=codes, offsets=packed.offsets, quantization=reading)
    few, one = documents[: max(1, len(documents) // 8)], queries[:1]
    return {
        "a list": (partial(plain, one, documents), partial(maxsim, one[0], documents)),
        "packed": (partial(plain, one, documents), partial(maxsim, one[0], packed)),
        "packed, 1 thread": (
            partial(plain, one, documents),
            partial(maxsim, one[0], packed, threads=1),
        ),
        "float16, a list": (partial(plain, one, halves), partial(maxsim, one[0], halves)),
        "int8, packed": (partial(plain_int8, one, small), partial(maxsim, one[0], small)),
        f"{len(queries)} queries": (
            partial(plain, queries, few),
            partial(maxsim_batch, queries, few),
        ),
        "against padded": (partial(padded, one, few), partial(maxsim, one[0], few)),
    }


def timed(run: Run) -> tuple[float, Floats]:
    """Seconds of one call, and what it returned."""
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def main(arguments: Sequence[str]) -> None:
    """Print a row per kind of document and form."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks maxsim", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--queries", type=int, default=16)
    options = parser.parse_args(arguments)
    report.machine("numpy", "stelae")
    for kind in options.kinds:
        rng = np.random.default_rng(7)
        documents = corpus(KINDS[kind], rng)
        queries = [unit(rng.normal(size=(QUERY, WIDTH))) for _ in range(options.queries)]
        rows = []
        for name, (theirs, ours) in cases(documents, queries).items():
            slow, fast, worst = [], [], 0.0
            for _ in range(options.rounds):
                seconds, expected = timed(theirs)
                slow.append(seconds)
                seconds, found = timed(ours)
                fast.append(seconds)
                worst = max(worst, float(np.abs(found - expected).max()))
            cells = (f"{1e3 * median(slow):,.1f}", f"{1e3 * median(fast):,.1f}")
            rows.append((name, *cells, f"{report.ratio(slow, fast):.1f}", f"{worst:.0e}"))
        title = f"{kind}: {len(documents)} documents of about {KINDS[kind]} tokens"
        report.table(title, ("form", "plain ms", "stelae ms", "ratio", "difference"), rows)
