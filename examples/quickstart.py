"""Embed a few sentences with a Stelae server and show how alike they are.

python examples/quickstart.py                  asks the server at http://127.0.0.1:8080
python examples/quickstart.py http://host:port asks another one
python examples/quickstart.py --serve          starts one for itself, and stops it again
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stelae import Client, StelaeError

SENTENCES = [
    "The ferry leaves the harbour at seven.",
    "Boats to the island depart at dawn.",
    "She grows tomatoes behind the house.",
    "The vegetable garden needs water.",
    "Our parser reads a file line by line.",
    "The program streams its text input.",
]
STELAE = Path(sys.executable).with_name("stelae")
HERE = Path.cwd()
COMMAND = STELAE.relative_to(HERE) if STELAE.is_relative_to(HERE) else STELAE
NEXT = [
    (f"{COMMAND} serve", "a server of your own, at http://127.0.0.1:8080"),
    (f"{COMMAND} embed --help", "every line of a file, or row of a table, to vectors"),
    ("README.md", "the same in ten lines of Python, and how it works inside"),
]
ALIKE = 0.3


def main(arguments: list[str]) -> int:
    console = Console(highlight=False, soft_wrap=True)
    try:
        if "--serve" in arguments:
            with server(console) as url:
                show(console, url)
        else:
            show(console, *arguments[:1])
    except StelaeError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    return 0


def show(console: Console, url: str = "http://127.0.0.1:8080") -> None:
    with Client(url) as client:
        version = client.server().version
        model = client.load()
        encodings = client.encode(SENTENCES)
    console.print(f"Stelae {version} at {url}", style="bold")
    console.print(
        f"{model.name}, {model.dtype} on {model.device}: {len(encodings)} sentences, "
        f"{encodings.usage.tokens} tokens, vectors of {model.dimensions} numbers\n"
    )
    vectors = encodings.dense
    console.print(table(vectors @ vectors.T))
    console.print("\nSentences about the same thing have similar vectors, whatever their words.\n")
    console.print("Go on:")
    for line, use in NEXT:
        console.print(f"  {line:<32} {use}")


def table(similarity: NDArray[np.floating[Any]]) -> Table:
    """The cosine of each pair of sentences, from -1 to 1."""
    shown = Table(box=None, padding=(0, 1, 0, 0))
    shown.add_column("cosine similarity", no_wrap=True)
    for number in range(1, len(SENTENCES) + 1):
        shown.add_column(str(number), justify="right", min_width=5, no_wrap=True)
    for number, (sentence, row) in enumerate(zip(SENTENCES, similarity, strict=True), 1):
        shown.add_row(f"{number} {sentence}", *map(cell, row))
    return shown


def cell(value: float) -> Text:
    shown = f"{round(float(value), 2) + 0.0:.2f}"  # adding zero turns -0.00 into 0.00
    return Text(shown, style="bold green" if value >= ALIKE else "dim")


@contextmanager
def server(console: Console) -> Iterator[str]:
    """A server on a free port while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        ready, log = Path(folder, "ready.json"), Path(folder, "log")
        line = [str(STELAE), "serve", "--listen", "http://127.0.0.1:0", "--ready-file", str(ready)]
        with log.open("wb") as out, subprocess.Popen(line, stdout=out, stderr=out) as process:
            try:
                with console.status("starting a server"):
                    url = address(process, ready, log)
                yield url
            finally:
                process.terminate()


def address(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    while not ready.exists():
        if process.poll() is not None:
            raise StelaeError(f"the server ended before it was ready:\n{log.read_text()}")
        time.sleep(0.05)
    return str(json.loads(ready.read_text())["listen"][0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
