"""What adapters cost: the same batch with none, with one for all, and with several."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from benchmarks import checkpoint, report
from benchmarks.texts import texts
from stelae.catalog.adapters import Adapters
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.text.adapters import Shelf
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features
from stelae.errors import LoraLoading
from stelae.types import ComputeDtype, EncodeCall, Item

TARGETS = ("query", "key", "value", "output.dense", "intermediate.dense")
COUNT = 8
"""Adapters in the batch that has several."""


def main(arguments: Sequence[str]) -> None:
    """Print the time of a batch, and of loading an adapter."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks adapters", description=__doc__)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--count", type=int, default=48, help="texts in the batch")
    parser.add_argument("--kind", default="mixed")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    options = parser.parse_args(arguments)
    report.machine("torch", "stelae")
    samples = texts(options.kind, options.count, checkpoint.tokenizer())
    with TemporaryDirectory() as home:
        names = [f"a{number}" for number in range(COUNT)]
        sources = {n: str(write(Path(home, n), checkpoint.folder(), options.rank)) for n in names}
        how = {"dtype": ComputeDtype(options.dtype), "threads": options.threads}
        engine = engine_of(EngineOptions(adapters=Adapters(sources=sources), **how))
        loads = [loaded(engine, name) for name in names]
        batches = {
            "no adapter": batch(engine, samples, [None]),
            "one for all": batch(engine, samples, names[:1]),
            "one for every other text": batch(engine, samples, [None, names[0]]),
            f"{COUNT} by turns": batch(engine, samples, names),
        }
        times = rounds(engine, batches, options.rounds)
    plain = times["no adapter"]
    rows = [(n, 1e3 * median(t), report.ratio(t, plain)) for n, t in times.items()]
    tokens = sum(len(features.ids) for features in batches["no adapter"])
    title = f"{len(samples)} {options.kind} texts, {tokens} tokens, rank {options.rank}"
    report.table(title, ("adapters", "ms", "of none"), rows)
    first, *others = loads
    report.CONSOLE.print(f"loading: {1e3 * first:.0f} ms the first, {1e3 * median(others):.0f} ms")


def write(folder: Path, base: Path, rank: int) -> Path:
    """Write an adapter of random numbers for all layers of a checkpoint."""
    folder.mkdir()
    tensors: dict[str, torch.Tensor] = {}
    with safe_open(base / "model.safetensors", "pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    for name, shape in shapes.items():
        path = name.removesuffix(".weight")
        if path != name and path.startswith("encoder.") and path.endswith(TARGETS):
            tensors[f"base_model.model.{path}.lora_A.weight"] = torch.randn(rank, shape[1]) / 20
            tensors[f"base_model.model.{path}.lora_B.weight"] = torch.randn(shape[0], rank) / 20
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": [*TARGETS]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def engine_of(options: EngineOptions) -> TextEngine:
    """The embedded model."""
    entry = ModelEntry(name="bench", source=str(checkpoint.folder()))
    return load(Catalog([entry]).spec("bench"), options)


def loaded(engine: TextEngine, name: str) -> float:
    """Seconds until an adapter is there."""
    started = time.perf_counter()
    try:
        engine.adapters.take(name)
    except LoraLoading:
        if isinstance(engine.adapters, Shelf):
            engine.adapters.wait(name, 60.0)
        engine.adapters.take(name)
    return time.perf_counter() - started


def batch(
    engine: TextEngine, samples: Sequence[str], names: Sequence[str | None]
) -> list[Features]:
    """One entry per text, with the adapters by turns."""
    made: list[Features] = []
    for number, text in enumerate(samples):
        lora = names[number % len(names)]
        job = engine.open(EncodeCall(model="bench", items=[Item(text=text)], lora=lora))
        made += [entry.features for entry in job.prepare(0, 1) if entry.features is not None]
    return made


def rounds(
    engine: TextEngine, batches: dict[str, list[Features]], count: int
) -> dict[str, list[float]]:
    """Seconds of each batch, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in batches}
    for number in range(count + 1):
        for name, features in batches.items():
            started = time.perf_counter()
            engine.run(features)
            if number:
                times[name].append(time.perf_counter() - started)
    return times
