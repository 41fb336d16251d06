"""How memory stands while a generator of many documents streams through a null model.

The client runs in a process of its own, with `stelae.clip` over gRPC and a callback; what is
printed is the memory of that process and of the server's processes while it runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

from benchmarks import clip, report

CLIENT = """
import itertools, sys
from stelae.clip import Client, Document

url, count = sys.argv[1], int(sys.argv[2])
seen = 0

def take(response):
    global seen
    before, seen = seen, seen + len(response.docs)
    if seen * 20 // count > before * 20 // count:
        print(seen, flush=True)

documents = (Document(text=f"document number {n}") for n in range(count))
Client(url).encode(documents, batch_size=64, on_done=take)
assert seen == count, seen
"""


def main(arguments: Sequence[str]) -> None:
    """Print memory at every twentieth of the way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks clip_stream", description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    report.machine("stelae")
    rows = []
    with clip.running([clip.stelae("null", "grpc")]) as [server]:
        command = [sys.executable, "-c", CLIENT, server.url, str(options.documents)]
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            client = psutil.Process(child.pid)
            for line in child.stdout:
                seconds = time.perf_counter() - started
                count = int(line)
                sizes = (_megabytes(client), _megabytes(server.process))
                rows.append((f"{count:,}", *(f"{size:.0f}" for size in sizes), f"{seconds:.0f}"))
        if child.returncode:
            sys.exit("the client failed")
    report.table(
        "a stream of documents over gRPC, null model",
        ("documents", "client MB", "server MB", "seconds"),
        rows,
    )


def _megabytes(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return float(sum(one.memory_info().rss for one in family) / 2**20)
