"""Starting and stopping the servers that are compared, each in its own environment.

A peer is found in ``.cache/peers/NAME``; ``SETUP`` says how to make it. Peers
are not dependencies of this project.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from benchmarks import checkpoint

PEERS = checkpoint.CACHE / "peers"

PATIENCE = 300
"""Seconds until a server must answer; some run long texts before they do."""

SETUP = """
a peer is not installed in .cache/peers. infinity needs these pins to start:
  python3 -m venv .cache/peers/infinity
  .cache/peers/infinity/bin/pip install torch==2.13.0
  .cache/peers/infinity/bin/pip install 'infinity-emb[torch,server,optimum]==0.0.77' \\
      transformers==4.47.0 optimum==1.24.0 typer==0.12.5 click==8.1.8 fastapi==0.115.2 \\
      prometheus-fastapi-instrumentator==7.0.0 sentence-transformers==3.4.1 torch==2.13.0
  .cache/peers/infinity/bin/pip install numpy==2.4.6
sie-server needs Python 3.12 and 8 GB:
  python3.12 -m venv .cache/peers/sie
  .cache/peers/sie/bin/pip install sie-server==0.10.1
xinference loads no model beside a torchvision that has no build for this torch:
  python3 -m venv .cache/peers/xinference
  .cache/peers/xinference/bin/pip install torch==2.13.0
  .cache/peers/xinference/bin/pip install xinference==4.1.0 sentence-transformers torch==2.13.0
  .cache/peers/xinference/bin/pip uninstall -y torchvision
"""

SIE_MODEL = """sie_id: bench
weights_path: {folder}
inputs: {{text: true}}
tasks: {{encode: {{dense: {{dim: 384}}}}}}
max_sequence_length: 512
profiles:
  default:
    adapter_path: sie_server.adapters.sentence_transformer:SentenceTransformerDenseAdapter
    max_batch_tokens: 16384
"""
"""The benchmarked checkpoint as sie-server wants to have it described."""


QUIET = {
    "SIE_TORCH_NUM_THREADS": "2",
    "SIE_TELEMETRY": "0",
    "DO_NOT_TRACK": "1",
    "INFINITY_MAX_CLIENT_BATCH_SIZE": "16384",
}
"""Environment of peers: their best number of threads here, long lists, and no reports to anyone."""


@dataclass(frozen=True)
class Contender:
    """A server to compare.

    Attributes:
        name: In the table.
        command: Starts it; ``{port}`` and ``{model}`` are filled in.
        path: Of the embeddings route.
        ready: Of a route that answers 200 once it serves.
        preload: What makes it load the model at its start.
    """

    name: str
    command: tuple[str, ...]
    path: str
    ready: str
    preload: tuple[str, ...] = ()

    def cold(self) -> Contender:
        """The same without the model loaded at its start."""
        return replace(self, preload=())


def stelae(dtype: str, folder: str = "{model}") -> Contender:
    """This project, as installed, with the checkpoint of a folder."""
    return Contender(
        f"stelae {dtype}",
        (
            *(str(Path(sys.executable).parent / "stelae"), "serve"),
            *("--listen", "http://127.0.0.1:{port}", "--dtype", dtype, "--log-level", "warning"),
        ),
        "/v1/embeddings",
        "/readyz",
        (f"bench={folder}",),
    )


def infinity(dtype: str, folder: str = "{model}") -> Contender:
    """Infinity with its torch engine; ``as shipped`` leaves its choices to itself."""
    chosen = () if dtype == "as shipped" else ("--dtype", dtype, "--no-bettertransformer")
    return Contender(
        f"infinity {dtype}",
        (
            *(str(PEERS / "infinity/bin/infinity_emb"), "v2", "--model-id", folder),
            *("--served-model-name", "bench", "--engine", "torch", "--device", "cpu"),
            *("--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning", *chosen),
        ),
        "/embeddings",
        "/health",
    )


def fastapi() -> Contender:
    """``fastapi_server.py``: sentence-transformers behind FastAPI, in infinity's environment."""
    script = Path(__file__).with_name("fastapi_server.py")
    return Contender(
        "FastAPI + ST",
        (str(PEERS / "infinity/bin/python"), "-P", str(script), "{model}", "{port}"),
        "/v1/embeddings",
        "/health",
    )


def sie() -> Contender:
    """sie-server with its sentence-transformers adapter and two threads."""
    models = checkpoint.CACHE / "sie-models"
    models.mkdir(parents=True, exist_ok=True)
    (models / "bench.yaml").write_text(SIE_MODEL.format(folder=checkpoint.folder()))
    return Contender(
        "sie-server",
        (
            *(str(PEERS / "sie/bin/sie-server"), "serve", "--models-dir", str(models)),
            *("--no-hf-fallback", "--device", "cpu", "--host", "127.0.0.1", "--port", "{port}"),
            *("--log-level", "warning"),
        ),
        "/v1/embeddings",
        "/readyz",
        ("--preload", "bench"),
    )


def xinference() -> Contender:
    """Xinference without logins and environments of its own; models are launched afterwards."""
    return Contender(
        "xinference",
        (
            *("/usr/bin/env", f"XINFERENCE_HOME={checkpoint.CACHE / 'xinference'}"),
            *("XINFERENCE_AUTH_ADVANCED=0", "XINFERENCE_ENABLE_VIRTUAL_ENV=0"),
            *(str(PEERS / "xinference/bin/xinference-local"), "-H", "127.0.0.1", "-p", "{port}"),
        ),
        "/v1/embeddings",
        "/v1/cluster/auth",
    )


@dataclass
class Running:
    """A started server.

    Attributes:
        contender: What it is.
        url: Of its embeddings route.
        process: Its first process.
        seconds_to_ready: From start until it answered.
    """

    contender: Contender
    url: str
    process: psutil.Process
    seconds_to_ready: float

    def memory_mb(self) -> tuple[float, float]:
        """Resident memory of the first process, and of all of them."""
        family = [self.process, *self.process.children(recursive=True)]
        sizes = [process.memory_info().rss / 2**20 for process in family]
        return sizes[0], sum(sizes)


@contextmanager
def running(contenders: Sequence[Contender]) -> Iterator[list[Running]]:
    """Start servers one after the other; stop them at the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(_started(contender)) for contender in contenders]


@contextmanager
def _started(contender: Contender) -> Iterator[Running]:
    if not Path(contender.command[0]).exists():
        sys.exit(SETUP)
    port = _free_port()
    values = {"port": str(port), "model": str(checkpoint.folder())}
    command = [part.format(**values) for part in (*contender.command, *contender.preload)]
    environment = (
        os.environ | {"HF_HUB_OFFLINE": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"} | QUIET
    )
    environment["STELAE_MODELS__BENCH__SOURCE"] = str(checkpoint.folder())
    environment["STELAE_STORE__FOLDER"] = str(checkpoint.CACHE / "state" / contender.name)
    log = checkpoint.CACHE / f"{contender.name.replace(' ', '-')}.log"
    started = time.perf_counter()
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}{contender.ready}", child, log)
        seconds = time.perf_counter() - started
        url = f"http://127.0.0.1:{port}{contender.path}"
        yield Running(contender, url, psutil.Process(child.pid), seconds)
    finally:
        _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a server; one that is still loading may not listen to a polite word."""
    child.terminate()
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(30)


def _wait(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.perf_counter() + PATIENCE
    while time.perf_counter() < give_up:
        if child.poll() is not None:
            sys.exit(f"the server ended; see {log}:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            with urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.02)
    sys.exit(f"no answer from {url} in {PATIENCE} s; see {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
