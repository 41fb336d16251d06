"""Encoders of texts on a GPU: tokens/s of the library and of our engine, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch.utils.flop_counter import FlopCounterMode
from transformers import PretrainedConfig

from benchmarks import gpu_models
from benchmarks.gpu_results import Row, rows_of
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item

BATCHES = (32, 128, 512)
"""Texts in a batch that the library is tried with; the quickest is compared."""

LIMITS = Limits(batch_tokens=65_536, batch_seconds=5.0, ahead_tokens=262_144)

Encode = Callable[[Sequence[Any]], Any]


def timed(work: Callable[[], object], device: str) -> float:
    """Seconds until the device is done."""
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def matrix_rate(device: str, size: int) -> float:
    """FLOP/s of a large multiply of random numbers in bf16."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / min(timed(lambda: a @ b, device) for _ in range(8))


def theirs(folder: Path, device: str, texts: list[str]) -> tuple[str, Encode]:
    """The library in bf16, which sorts by length and pads, with its best size of a batch."""
    model = SentenceTransformer(str(folder), device=device)
    model.to(torch.bfloat16)

    def encode(size: int, some: Sequence[str]) -> object:
        return model.encode(list(some), batch_size=size, convert_to_tensor=True)

    encode(BATCHES[0], texts[:64])
    best = min(BATCHES, key=lambda size: timed(lambda: encode(size, texts), device))
    return f"sentence-transformers, {best} in a batch", lambda some: encode(best, some)


def runner_of(name: str, folder: Path, device: str) -> Runner:
    """Our engine in bf16 behind its scheduler."""
    spec = Catalog([ModelEntry(name=name, source=str(folder))]).spec(name)
    options = EngineOptions(dtype=ComputeDtype.BFLOAT16, device=Device(device))
    return Runner(load(spec, options), LIMITS)


def ours(runner: Runner, name: str) -> Encode:
    """Vectors of texts, from the scheduler."""

    def encode(texts: Sequence[str]) -> Any:
        items = [Item(text=text) for text in texts]
        return runner.submit(EncodeCall(model=name, items=items)).result().dense

    return encode


def flops_of_a_token(folder: Path, texts: Sequence[str]) -> float:
    """Arithmetic without padding, by the library's model; the mean of a few texts."""
    model = SentenceTransformer(str(folder), device="cpu")
    operations = tokens = 0
    for text in texts[:8]:
        given: Any = model.preprocess([text])
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            model(given)
        operations += counter.get_total_flops()
        tokens += int(given["attention_mask"].sum())
    return operations / tokens


def likeness(ours: Any, theirs: Any) -> float:
    """Smallest cosine between the vectors of a text."""
    pair = [torch.as_tensor(each).float().cpu() for each in (ours, theirs)]
    return float(torch.nn.functional.cosine_similarity(*pair).min())


def compared(
    name: str, config: PretrainedConfig, count: int, rounds: int, device: str, rate: float
) -> list[Row]:
    """Both on mixed and on equal lengths, in turn."""
    folder = gpu_models.text_model(name, config)
    runner, rows = runner_of(name, folder, device), []
    mine = ours(runner, name)
    for kind in ("mixed", "equal"):
        texts = gpu_models.samples(kind, count)
        called, their = theirs(folder, device, texts)
        tokens = sum(min(512, len(e.ids)) for e in gpu_models.tokenizer().encode_batch(texts))
        contenders = {called: their, "stelae": mine}
        likely = likeness(mine(texts[:256]), their(texts[:256]))
        taken = in_turn(contenders, texts, rounds, device)
        arithmetic = flops_of_a_token(folder, texts) * tokens / rate
        rows += rows_of(f"{name}, {kind}", "tokens", tokens, taken, arithmetic, likely)
    runner.close()
    return rows


def in_turn(
    contenders: dict[str, Encode], given: Sequence[Any], rounds: int, device: str
) -> dict[str, list[float]]:
    """Seconds of each, round by round; the first is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, encode in contenders.items():
            seconds = timed(lambda run=encode: run(given), device)
            if turn:
                taken[name].append(seconds)
    return taken
