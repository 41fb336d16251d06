"""How far one huge request of mixed lengths makes the server's processes grow."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from urllib.request import Request, urlopen

import msgspec
import psutil

from benchmarks import checkpoint, report, servers
from benchmarks.texts import texts
from benchmarks.usage import family, forget_peak, peak_mb

PATH = "/stelae/v1/encode"


def main(arguments: Sequence[str]) -> None:
    """Print resident memory at rest and its peak during the request, per process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks memory", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--kind", default="mixed")
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--folder", default="{model}", help="another checkpoint")
    parser.add_argument("--outputs", default="dense", help="such as dense,sparse,multivector")
    options = parser.parse_args(arguments)
    outputs = options.outputs.split(",")
    report.machine("torch", "stelae")
    samples = texts(options.kind, options.count, checkpoint.tokenizer())
    with servers.running([servers.stelae(options.dtype, options.folder)]) as (server,):
        url = server.url.removesuffix("/v1/embeddings") + PATH
        _encode(url, samples[:64], outputs)
        members = family(server.process)
        rest = [process.memory_info().rss / 2**20 for process in members]
        for process in members:
            forget_peak(process)
        started = time.perf_counter()
        size = _encode(url, samples, outputs) / 2**20
        seconds = time.perf_counter() - started
        peaks = [peak_mb(process) for process in members]
    rows = [
        (name, f"{before:.0f}", f"{peak:.0f}", f"{peak - before:.0f}")
        for name, before, peak in zip(_names(members), rest, peaks, strict=True)
    ]
    asked = f"{len(samples)} {options.kind} texts, {options.outputs}"
    title = f"one request of {asked}, an answer of {size:.0f} MB, {seconds:.0f} s"
    report.table(title, ("process", "at rest MB", "peak MB", "growth MB"), rows)


def _names(members: Sequence[psutil.Process]) -> list[str]:
    return ["gateway", *(f"worker {n}" for n in range(1, len(members)))]


def _encode(url: str, samples: Sequence[str], outputs: Sequence[str]) -> int:
    """Bytes of the answer, which is not kept."""
    items = [{"text": text} for text in samples]
    call = {"model": "bench", "items": items, "outputs": outputs}
    head = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    with urlopen(Request(url, msgspec.msgpack.encode(call), head), timeout=3600) as answer:
        return sum(map(len, iter(lambda: answer.read(1 << 20), b"")))
