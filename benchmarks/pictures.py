"""Pictures/s: four at a time and one by one, over HTTP and with diffusers in process.

Each side takes its turn in every round: one pipeline in the layout of Stable Diffusion with
random numbers, of the size given, a few steps for each picture.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from benchmarks import checkpoint
from benchmarks.report import CONSOLE, machine, ratio, table
from benchmarks.servers import Contender, Running, running

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from tiny import imaging  # beside the benchmarks, no package

from stelae import Client

PROMPT = "a red circle"
AT_ONCE = 4
LARGEST = 256
"""Side in pixels that the pipeline says it was made for."""

Measure = Callable[[int], float]
"""Makes pictures with these seeds and onwards, four of them; tells the seconds."""


def folder(width: int) -> Path:
    """A pipeline whose network has so many channels at its widest, half and a quarter before."""
    made = checkpoint.CACHE / f"pictures-{width}"
    if not (made / "ready").exists():
        imaging.sd(made)
        channels = (width // 4, width // 2, width)
        imaging.write_unet(
            made,
            "bench",
            block_out_channels=channels,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=8,
        )
        _edit(made / "unet" / "config.json", sample_size=LARGEST // 8)
        _edit(made / "vae" / "config.json", sample_size=LARGEST)
        (made / "ready").touch()
    return made


def _edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def stelae(source: Path) -> Contender:
    """This project."""
    return Contender(
        "stelae",
        (
            *(str(Path(sys.executable).parent / "stelae"), "serve"),
            *("--listen", "http://127.0.0.1:{port}", "--log-level", "warning"),
            *("--dtype", "float32"),
        ),
        "",
        "/readyz",
        (f"bench={source}",),
    )


def asked(server: Running, side: int, steps: int, *, together: bool) -> Measure:
    """Four pictures from the server: by four callers at once, or one after the other."""
    client = Client(server.url, model="bench", timeout=600)

    def one(seed: int) -> None:
        client.image(PROMPT, size=(side, side), steps=steps, seed=seed)

    def measure(seed: int) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE if together else 1) as callers:
            list(callers.map(one, range(seed, seed + AT_ONCE)))
        return time.perf_counter() - started

    return measure


def library(source: Path, side: int, steps: int, *, together: bool) -> Measure:
    """Four pictures from diffusers in this process: in one batch, or one after the other."""
    import torch
    from diffusers import StableDiffusionPipeline

    torch.set_num_threads(2)
    pipeline = StableDiffusionPipeline.from_pretrained(source)
    pipeline.set_progress_bar_config(disable=True)
    size = {"height": side, "width": side, "num_inference_steps": steps}

    def measure(seed: int) -> float:
        draws = [torch.Generator().manual_seed(seed + i) for i in range(AT_ONCE)]
        groups = [draws] if together else [[draw] for draw in draws]
        started = time.perf_counter()
        for group in groups:
            pipeline([PROMPT] * len(group), generator=group, **size)
        return time.perf_counter() - started

    return measure


def main(arguments: Sequence[str]) -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pictures", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=256, help="channels of the network")
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 256], help="pixels")
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args(arguments)
    machine("stelae", "torch", "diffusers")
    source = folder(options.width)
    with running([stelae(source)]) as (server,):
        for side in options.sides:
            sides = {
                "stelae, four at once": asked(server, side, options.steps, together=True),
                "stelae, one by one": asked(server, side, options.steps, together=False),
                "diffusers, one batch": library(source, side, options.steps, together=True),
                "diffusers, one by one": library(source, side, options.steps, together=False),
            }
            _compare(f"pictures of {side} x {side}, {options.steps} steps", sides, options.rounds)


def _compare(title: str, sides: dict[str, Measure], rounds: int) -> None:
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, measure in sides.items():
            seconds = measure(100 * number)
            if number:  # the first warms up
                taken[name].append(seconds)
        CONSOLE.print(f"round {number} of {rounds}")
    last = taken["diffusers, one by one"]
    rows = [
        [name, AT_ONCE / median(own), AT_ONCE / max(own), AT_ONCE / min(own), ratio(last, own)]
        for name, own in taken.items()
    ]
    columns = ["", "pictures/s", "least", "most", "beside diffusers one by one"]
    table(title, columns, rows)
