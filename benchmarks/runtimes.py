"""Tokens/s in one process against ONNX Runtime and OpenVINO, with batches sorted by length."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from benchmarks import checkpoint, report, servers
from benchmarks.texts import texts
from stelae.catalog.catalog import Catalog
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.hardware import cores
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item

BATCH = 32
"""Texts in a batch of the runtimes."""

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]
Run = Callable[[NDArray[np.int64], NDArray[np.int64]], Vectors]
"""Token vectors of padded ids and their mask."""


def graph() -> Path:
    """The fused graph of the benchmarked checkpoint; made by a peer's environment once."""
    python = servers.PEERS / "infinity/bin/python"
    file = checkpoint.CACHE / "runtimes" / "minilm.onnx"
    fused = file.with_suffix(".fused.onnx")
    if not fused.exists():
        if not python.exists():
            sys.exit(servers.SETUP)
        file.parent.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("runtimes_export.py")
        command = [python, "-P", "-W", "ignore", script, checkpoint.folder(), file]
        subprocess.run([str(part) for part in command], check=True)
    return fused


def onnxruntime(threads: int) -> Run:
    """ONNX Runtime on the CPU in fp32, which is all that it multiplies floats in there."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = runtime.InferenceSession(graph(), options, providers=["CPUExecutionProvider"])

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Vectors:
        states: Vectors = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return states

    return run


def openvino(threads: int, dtype: str) -> Run:
    """OpenVINO on the CPU, from the graph as it was exported, which it fuses itself."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # no reports
    import openvino as library

    exported = graph().with_name("minilm.onnx")
    hints = {"INFERENCE_PRECISION_HINT": dtype, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    model = library.Core().compile_model(str(exported), "CPU", hints)
    request = model.create_infer_request()

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Vectors:
        found = request.infer({"input_ids": ids, "attention_mask": mask})
        states: Vectors = next(iter(found.values()))
        return states

    return run


def padded(run: Run) -> Encode:
    """From texts to unit vectors, as sentence-transformers goes about it around a runtime."""
    tokenizer = checkpoint.tokenizer()
    tokenizer.enable_truncation(512)

    def encode(samples: Sequence[str]) -> Vectors:
        ids = [encoding.ids for encoding in tokenizer.encode_batch(list(samples))]
        found: dict[int, Vectors] = {}
        for batch in batches([len(one) for one in ids]):
            grid, mask = pad([ids[place] for place in batch])
            found.update(zip(batch, pooled(run(grid, mask), mask), strict=True))
        return np.stack([found[place] for place in range(len(ids))])

    return encode


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of texts, the longest first, ``BATCH`` at a time."""
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def pad(ids: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids as a rectangle, zeros behind, and where there are any."""
    lengths = np.array([len(one) for one in ids])
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    grid = np.zeros_like(mask)
    grid[mask == 1] = np.concatenate(ids)
    return grid, mask


def pooled(states: Vectors, mask: NDArray[np.int64]) -> Vectors:
    """Means of the tokens that are there, of unit length."""
    there = mask[:, :, None].astype(np.float32)
    means = (states * there).sum(axis=1) / there.sum(axis=1)
    unit: Vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
    return unit


def ours(dtype: ComputeDtype, threads: int) -> Encode:
    """Our engine behind its scheduler."""
    catalog = Catalog()
    spec = catalog.spec(catalog.register_argument(f"bench={checkpoint.folder()}").name)
    runner = Runner(load(spec, EngineOptions(dtype=dtype, threads=threads)))

    def encode(samples: Sequence[str]) -> Vectors:
        items = [Item(text=text) for text in samples]
        call = EncodeCall(model="bench", items=items)
        vectors: Vectors = runner.submit(call).result().dense
        return vectors

    return encode


def contenders(threads: int) -> dict[str, Encode]:
    """Everybody, on so many threads."""
    return {
        "ONNX Runtime float32": padded(onnxruntime(threads)),
        "OpenVINO float32": padded(openvino(threads, "f32")),
        "OpenVINO bfloat16": padded(openvino(threads, "bf16")),
        "stelae float32": ours(ComputeDtype.FLOAT32, threads),
        "stelae bfloat16": ours(ComputeDtype.BFLOAT16, threads),
    }


def apart(found: Vectors, known: Vectors) -> tuple[float, float]:
    """Largest difference of a number, and smallest cosine, of unit vectors."""
    return float(np.abs(found - known).max()), float((found * known).sum(axis=1).min())


def main(arguments: Sequence[str]) -> None:
    """Time all contenders in turn on the same texts, and compare their vectors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks runtimes", description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=["mixed", "passage", "short"])
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="with one, CPU time is measured")
    options = parser.parse_args(arguments)
    report.machine("torch", "onnxruntime", "openvino", "stelae")
    threads = min(options.threads, cores())
    clock = time.process_time if threads == 1 else time.perf_counter
    reference = SentenceTransformer(str(checkpoint.folder()), device="cpu")
    torch.set_num_threads(threads)
    everybody = contenders(threads)
    for kind in options.kinds:
        samples = texts(kind, options.count, checkpoint.tokenizer())
        known = reference.encode(samples[:BATCH])
        off = {name: apart(encode(samples[:BATCH]), known) for name, encode in everybody.items()}
        spent = _in_turn(everybody, samples, options.rounds, clock)
        _print(kind, samples, spent, off, "CPU time" if threads == 1 else f"{threads} threads")


def _in_turn(
    everybody: dict[str, Encode],
    samples: Sequence[str],
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in everybody}
    for turn in range(rounds + 1):
        for name, encode in everybody.items():
            started = clock()
            encode(samples)
            if turn:
                spent[name].append(clock() - started)
    return spent


def _print(
    kind: str,
    samples: Sequence[str],
    spent: dict[str, list[float]],
    off: dict[str, tuple[float, float]],
    how: str,
) -> None:
    tokens = sum(len(e.ids) for e in checkpoint.tokenizer().encode_batch(list(samples)))
    base: Any = next(iter(spent.values()))
    rows = [
        (
            name,
            f"{tokens / median(seconds):,.0f}",
            f"{tokens / max(seconds):,.0f}-{tokens / min(seconds):,.0f}",
            f"{report.ratio(base, seconds):.2f}",
            f"{off[name][0]:.1e}",
            f"{off[name][1]:.6f}",
        )
        for name, seconds in spent.items()
    ]
    columns = ("engine", "tokens/s", "spread", "ratio", "off by", "worst cosine")
    title = f"{kind}: {len(samples)} texts, {tokens / len(samples):.0f} tokens on average, {how}"
    report.table(title, columns, rows)
