"""Environments of the public clients that the server is tested with, each with its own pins.

    python tools/clients.py sie-0.10.1        makes it if need be and prints its Python

An environment is made once, in ``.cache/clients``, from ``requirements/clients``; it is made
anew when its pins change. Clients that need another Python than this one get it if it is
installed here.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements" / "clients"
HOMES = ROOT / ".cache" / "clients"

PYTHONS = {"clip": "3.11", "sie": "3.12"}
"""The Python that a client needs, by the start of its name; others take this one."""

PLACES = (".pyenv/versions/{}*/bin/python", ".local/share/uv/python/cpython-{}*/bin/python")
"""Where, from home, other Pythons lie that are not on the path."""


class Absent(Exception):
    """An environment cannot be made here, and why."""


def python_of(name: str) -> Path:
    """The Python of a client's environment, which is made if need be.

    Args:
        name: A file in ``requirements/clients``, without its ending.

    Raises:
        Absent: The Python that it needs is not here, or its packages cannot be had.
    """
    pins = PINS / f"{name}.txt"
    home = HOMES / f"{name}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    python = home / "bin" / "python"
    with _alone(name):
        if not (home / ".ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            _run(_base(name), "-m", "venv", str(home))
            _run(python, "-m", "pip", "install", "-q", "--no-deps", "-r", str(pins))
            (home / ".ready").touch()
    return python


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold other processes off that want to make the same environment."""
    HOMES.mkdir(parents=True, exist_ok=True)
    with (HOMES / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _base(name: str) -> Path:
    wanted = PYTHONS.get(name.partition("-")[0])
    if wanted is None or sys.version_info[:2] == tuple(map(int, wanted.split("."))):
        return Path(sys.executable)
    for candidate in _candidates(wanted):
        shown = subprocess.run([candidate, "--version"], capture_output=True, text=True)
        if shown.returncode == 0 and shown.stdout.startswith(f"Python {wanted}."):
            return Path(candidate)
    raise Absent(f"{name} needs Python {wanted}, which is not installed here")


def _candidates(wanted: str) -> Iterator[str]:
    if (found := shutil.which(f"python{wanted}")) is not None:
        yield found
    for place in PLACES:
        yield from map(str, sorted(Path.home().glob(place.format(wanted))))


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Absent(f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:]}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(python_of(name))
