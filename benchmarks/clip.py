"""Documents/s from the original CLIP client: this project and clip-server, in turn."""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from PIL import Image

from benchmarks import checkpoint, clip_checkpoint, report

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import clients  # beside the benchmarks, no package

HERE = Path(__file__).parent
CLIENT = "clip-0.8.3"
QUIET = {
    "NO_VERSION_CHECK": "1", "JINA_OPTOUT_TELEMETRY": "1", "JINA_LOG_LEVEL": "CRITICAL",
    "OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1",
}  # fmt: skip
SETUP = """
clip-server is not installed in .cache/peers/clip; on Python 3.11:
  python3.11 -m venv .cache/peers/clip
  .cache/peers/clip/bin/pip install torch==2.13.0 'setuptools<81' numpy pillow tqdm ftfy regex \\
      pillow-avif-plugin prometheus-client jina==3.25.2 docarray==0.21.0
  .cache/peers/clip/bin/pip install --no-deps --no-build-isolation \\
      torchvision==0.28.0 open_clip_torch==2.8.0 clip-server==0.8.3
"""


@dataclass(frozen=True)
class Server:
    """A started server.

    Attributes:
        name: In the table.
        url: Where the client finds it.
        process: Its first process.
    """

    name: str
    url: str
    process: psutil.Process


def main(arguments: Sequence[str]) -> None:
    """Print a table per kind of document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks clip", description=__doc__)
    kinds = ("captions", "words", "images")
    parser.add_argument("--kinds", nargs="*", choices=kinds, default=list(kinds))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=256, help="of each measurement, about")
    parser.add_argument("--null", action="store_true", help="transports alone, against Jina")
    parser.add_argument("--protocols", nargs="+", default=["grpc", "http"], help="with --null")
    parser.add_argument(
        "--requests", type=int, default=1600, help="with --null, in place of documents"
    )
    options = parser.parse_args(arguments)
    if not clip_checkpoint.PEER.exists():
        sys.exit(SETUP)
    report.machine("torch", "stelae")
    if options.null:
        for protocol in options.protocols:
            with running([_jina(protocol), stelae("null", protocol)]) as started:
                _table(f"null model, {protocol}", "captions", started, options)
        return
    with running([_clip_server(), *(stelae(d, "grpc") for d in ("auto", "float32"))]) as started:
        for kind in options.kinds:
            _table(f"{kind}, the original client over gRPC", kind, started, options)


def _table(title: str, kind: str, started: Sequence[Server], options: argparse.Namespace) -> None:
    rows = []
    for count in options.clients:
        for size in options.batches:
            found: dict[str, list[float]] = {server.name: [] for server in started}
            failed = dict.fromkeys(found, 0)
            each, turns = size, max(2, options.documents // (count * size))
            if options.null:  # so many batches share a connection
                each, turns = size * max(1, options.requests // (2 * count)), 2
            for _ in range(options.rounds):
                for server in started:
                    outcome = _asked(server.url, kind, size, each, count, turns)
                    found[server.name].append(outcome["rate"])
                    failed[server.name] += outcome["failed"]
            first = median(next(iter(found.values())))
            rows += [
                (count, size, name, f"{median(rates):,.1f}", failed[name],
                 f"{median(rates) / first:.2f}")
                for name, rates in found.items()
            ]  # fmt: skip
    columns = ("clients", "batch", "server", "documents/s", "failed", "ratio")
    report.table(title, columns, rows)


def _asked(url: str, kind: str, size: int, each: int, count: int, turns: int) -> dict[str, float]:
    numbers = [str(number) for number in (size, each, count, turns)]
    pictures = [str(path) for path in _pictures()] if kind == "images" else []
    # Between transports alone the original client would be the slowest part by far, and over
    # gRPC ours too.
    if each == size:
        python, script, what = clients.python_of(CLIENT), "clip_load.py", [kind]
    elif url.startswith("grpc"):
        python, script, what = Path(sys.executable), "clip_wire.py", []
    else:
        python, script, what = Path(sys.executable), "clip_load.py", [kind]
    command = [str(python), "-P", str(HERE / script), url, *what, *numbers, *pictures]
    done = subprocess.run(
        command, env=os.environ | QUIET, check=True, capture_output=True, text=True
    )
    outcome: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def _pictures() -> list[Path]:
    """Sixteen JPEG files of 640 x 480 with soft shapes and some grain, as photos have."""
    folder = checkpoint.CACHE / "clip-pictures"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(16)]
    for number, path in enumerate(paths):
        if path.exists():
            continue
        chance = np.random.default_rng(number)
        soft = Image.fromarray(chance.integers(0, 256, (12, 16, 3), np.uint8))
        pixels = np.asarray(soft.resize((640, 480), Image.Resampling.BICUBIC), np.float32)
        pixels += chance.normal(0, 6, pixels.shape)
        buffer = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        path.write_bytes(buffer.getvalue())
    return paths


Command = tuple[str, list[str], str]
"""Name, command with ``{port}``, and scheme."""


def _clip_server() -> Command:
    return "clip-server", [*_peer(), "serve", "{port}", str(clip_checkpoint.WEIGHTS)], "grpc"


def _jina(protocol: str) -> Command:
    return f"jina {protocol}", [*_peer(), "null", "{port}", protocol], protocol


def _peer() -> list[str]:
    python, script = clip_checkpoint.PEER / "bin/python", HERE / "clip_peer.py"
    return [str(python), "-P", "-W", "ignore", str(script)]


def stelae(dtype: str, protocol: str) -> Command:
    """This project in a number format, or with the engine that does nothing."""
    served = ["--dtype", dtype, f"clip={clip_checkpoint.folder()}"]
    chosen = "clip"
    if dtype == "null":
        served, chosen = ["--engine", "null", "default"], "default"
    command = [
        "/usr/bin/env", f"STELAE_CLIP__MODEL={chosen}",
        str(Path(sys.executable).parent / "stelae"), "serve", *served,
        "--listen", f"{protocol}://127.0.0.1:{{port}}", "--log-level", "warning",
    ]  # fmt: skip
    return f"stelae {dtype}", command, protocol


@contextmanager
def running(commands: Sequence[Command]) -> Iterator[list[Server]]:
    """Start servers one after the other; stop them at the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(_started(*command)) for command in commands]


@contextmanager
def _started(name: str, command: Sequence[str], scheme: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = checkpoint.CACHE / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as out:
        filled = [part.format(port=port) for part in command]
        child = subprocess.Popen(filled, stdout=out, stderr=out, env=os.environ | QUIET)
    url = f"{scheme}://127.0.0.1:{port}"
    process = psutil.Process(child.pid)
    try:
        _wait(url, child, log)
        yield Server(name, url, process)
    finally:
        family = process.children(recursive=True) if child.poll() is None else []
        child.terminate()
        child.wait(60)
        for left in family:
            if left.is_running():
                left.terminate()


def _wait(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.perf_counter() + 180
    while time.perf_counter() < give_up:
        if child.poll() is not None:
            sys.exit(f"the server ended; see {log}:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            if not _asked(url, "captions", 1, 1, 1, 1)["failed"]:
                return
        except subprocess.CalledProcessError:
            time.sleep(1)
    sys.exit(f"no answer from {url} in three minutes; see {log}")
