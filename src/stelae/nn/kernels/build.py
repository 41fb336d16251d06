"""Compiling a kernel, once, into the user's own cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SECONDS = 120.0
"""Time for one compilation; a few seconds are usual."""

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-fopenmp", "-w")


class BuildFailed(Exception):
    """A kernel cannot be had, and why."""


def load(name: str, *flags: str) -> ctypes.CDLL:
    """The compiled kernel of a source file beside this module.

    The library is not linked against OpenMP: PyTorch, which must be imported, has brought it
    in, and two copies of it would each keep threads of their own.

    Args:
        name: Of the file, as ``attention``.
        flags: Of the compiler, for the instructions that are used.

    Raises:
        BuildFailed: There is no compiler, it refuses, or what it made cannot be loaded.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise BuildFailed(f"none of {', '.join(COMPILERS)} is installed")
    source = Path(__file__).with_name(f"{name}.cpp")
    options = (*FLAGS, *flags)
    parts = (source, *sorted(source.parent.glob("*.h")))
    text = f"{[part.read_text('utf-8') for part in parts]}{options}{_version(compiler)}"
    library = folder() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"
    try:
        if not library.exists():
            _compile(compiler, source, options, library)
        return ctypes.CDLL(str(library))
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed(f"{source.name} could not be built: {_words(error)}") from error


@cache
def folder() -> Path:
    """Where compiled kernels are kept: the user's cache, if nobody else can write there."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    place = Path(home) / "stelae" / "kernels"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = place.stat()
        if facts.st_uid == os.getuid() and not facts.st_mode & 0o022 and os.access(place, os.W_OK):
            return place
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="stelae-kernels-"))


@cache
def _version(compiler: str) -> str:
    asked = subprocess.run([compiler, "--version"], capture_output=True, timeout=SECONDS)
    return asked.stdout.decode("utf-8", "replace")


def _compile(compiler: str, source: Path, options: tuple[str, ...], library: Path) -> None:
    """Compile beside the library's place and move it there, so that nobody sees half of it."""
    with tempfile.TemporaryDirectory(dir=library.parent) as work:
        made, whole = Path(work) / "kernel.o", Path(work) / "kernel.so"
        # In two steps: linking with -fopenmp would bind a second OpenMP to it.
        _run(compiler, *options, "-c", str(source), "-o", str(made))
        _run(compiler, "-shared", str(made), "-o", str(whole))
        whole.replace(library)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)


def _words(error: BaseException) -> str:
    """What went wrong, in a line."""
    said = getattr(error, "stderr", None)
    last = said.decode("utf-8", "replace").strip().splitlines()[-1:] if said else []
    return last[0] if last else str(error)
