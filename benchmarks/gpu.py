"""Encoders on a GPU: tokens/s against SentenceTransformer in bf16, and the matrix rate reached."""

from __future__ import annotations

import argparse
import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, BertConfig, PretrainedConfig, Qwen3Config, XLMRobertaConfig

from benchmarks import checkpoint, report
from benchmarks.texts import LENGTHS, words
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item

COMMON = {"vocab_size": 30_522, "max_position_embeddings": 514}


def configs(small: bool) -> dict[str, PretrainedConfig]:
    """What is compared; ``small`` keeps the kinds and shrinks the sizes, to try the script."""
    blocks = {"num_hidden_layers": 2} if small else {}
    qwen = {
        "hidden_size": 1024, "intermediate_size": 3072, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 28,
    }  # fmt: skip
    large = {
        "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
        "num_hidden_layers": 24, "type_vocab_size": 1,
    }  # fmt: skip
    return {
        "BERT-base": BertConfig(**COMMON | blocks),
        "XLM-R-large": XLMRobertaConfig(**COMMON | large | blocks),
        "Qwen3-0.6B": Qwen3Config(**COMMON | qwen | blocks),
    }


def made(name: str, config: PretrainedConfig) -> Path:
    """A checkpoint with random weights and the embedded model's tokenizer."""
    folder = checkpoint.CACHE / "gpu" / f"{name}-{config.num_hidden_layers}"
    if not (folder / "modules.json").exists():
        base = folder.with_name(f"{folder.name}-base")
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(base)
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            shutil.copy(checkpoint.folder() / file, base)
        transformer = Transformer(str(base), max_seq_length=512)
        pooling = Pooling(config.hidden_size, pooling_mode="mean")
        SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder))
    return folder


def samples(kind: str, count: int) -> list[str]:
    """Texts of the lengths of a kind, or all of 128 tokens (``equal``)."""
    rng, said = random.Random(1), words()
    lengths = [128] * count if kind == "equal" else [LENGTHS[kind](rng) for _ in range(count)]
    texts = []
    for length in lengths:
        start = rng.randrange(len(said) - length)
        texts.append(" ".join(said[start : start + length]))
    return texts


def theirs(folder: Path, device: str) -> Callable[[list[str]], object]:
    """The library in bf16, which sorts by length and pads."""
    model = SentenceTransformer(str(folder), device=device)
    model.to(torch.bfloat16)
    return lambda texts: model.encode(texts, batch_size=128, convert_to_tensor=True)


def ours(name: str, folder: Path, device: str) -> Callable[[list[str]], object]:
    """Our engine behind its scheduler."""
    spec = Catalog([ModelEntry(name=name, source=str(folder))]).spec(name)
    options = EngineOptions(dtype=ComputeDtype.BFLOAT16, device=Device(device))
    runner = Runner(load(spec, options), Limits(batch_tokens=65_536, batch_seconds=5.0))

    def encode(texts: list[str]) -> object:
        items = [Item(text=text) for text in texts]
        return runner.submit(EncodeCall(model=name, items=items)).result()

    return encode


def matrix_rate(device: str, size: int) -> float:
    """FLOP/s of a large multiply in bf16."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        best = min(best, _timed(lambda: a @ b, device))
    return 2 * size**3 / best


def _timed(work: Callable[[], object], device: str) -> float:
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def flops(folder: Path, texts: Sequence[str]) -> tuple[int, int]:
    """Arithmetic and tokens of texts without padding, by the library's model."""
    model = SentenceTransformer(str(folder), device="cpu")
    some = list(texts[:4])
    operations = tokens = 0
    for text in some:
        given: Any = model.tokenize([text])
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            model(given)
        operations += counter.get_total_flops()
        tokens += int(given["attention_mask"].sum())
    return operations, tokens


def main(arguments: Sequence[str]) -> None:
    """Print tokens/s of both, in turn, and the fraction of the matrix rate."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--small", action="store_true", help="two blocks of each, to try it")
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--count", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    report.machine("torch", "sentence-transformers", "stelae")
    rate = matrix_rate(options.device, 512 if options.small else 8192)
    report.CONSOLE.print(f"matrix rate {rate / 1e12:,.2f} TFLOP/s")
    rows = []
    for name, config in configs(options.small).items():
        if options.models and name not in options.models:
            continue
        folder = made(name, config)
        contenders = {
            "sentence-transformers": theirs(folder, options.device),
            "stelae": ours(name, folder, options.device),
        }
        for kind in ("mixed", "equal"):
            texts = samples(kind, options.count)
            work, counted = flops(folder, texts)
            tokens = sum(len(e.ids) for e in checkpoint.tokenizer().encode_batch(texts))
            rates: dict[str, list[float]] = {each: [] for each in contenders}
            for turn in range(options.rounds + 1):
                for each, encode in contenders.items():
                    spent = _timed(lambda run=encode, t=texts: run(t), options.device)
                    if turn:
                        rates[each].append(tokens / spent)
            base = rates["sentence-transformers"]
            for each, found in rates.items():
                reached = median(found) * work / counted / rate
                ratio = f"{report.ratio(found, base):.2f}"
                rows.append((name, kind, each, f"{median(found):,.0f}", ratio, f"{reached:.2f}"))
    columns = ("model", "lengths", "engine", "tokens/s", "ratio", "of matrix rate")
    report.table("encoders in bf16", columns, rows)
