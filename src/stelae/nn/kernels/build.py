"""Compiling a kernel, once, into the user's own cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SECONDS = 120.0
"""Time for one compilation; a few seconds are usual."""

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-fopenmp", "-w")

SOURCES = {
    file.name: file.read_text("utf-8")
    for file in sorted(Path(__file__).parent.iterdir())
    if file.suffix in (".cpp", ".h")
}
"""Sources by name, as they are when this is imported.

Their callers are imported beside them. Sources that an update puts there afterwards may want
other arguments and other flags, and would read and write out of place for these callers.
"""


class BuildFailed(Exception):
    """A kernel cannot be had, and why."""


def load(name: str, *flags: str) -> ctypes.CDLL:
    """The compiled kernel of one of the sources.

    The library is not linked against OpenMP: PyTorch, which must be imported, has brought it
    in, and two copies of it would each keep threads of their own.

    Args:
        name: Of the file, as ``attention``.
        flags: Of the compiler, for the instructions that are used.

    Raises:
        BuildFailed: There is no compiler, it refuses, or what it made cannot be loaded.
    """
    library = _made(name, ".so", ("-shared",), flags)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise BuildFailed(f"{name}.cpp could not be loaded: {error}") from error


def program(name: str, *flags: str) -> Path:
    """A program of its own, made of one of the sources.

    Args:
        name: Of the file, as ``tiles``.
        flags: Of the compiler, for the instructions that are used.

    Raises:
        BuildFailed: There is no compiler, or it refuses.
    """
    return _made(name, "", (), flags)


def _made(name: str, suffix: str, linking: tuple[str, ...], flags: tuple[str, ...]) -> Path:
    """What is compiled of a source, if it was not yet."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise BuildFailed(f"none of {', '.join(COMPILERS)} is installed")
    file, options = f"{name}.cpp", (*FLAGS, *flags)
    headers = {other: text for other, text in SOURCES.items() if other.endswith(".h")}
    parts = {file: SOURCES[file], **headers}
    try:
        key = hashlib.sha256(f"{parts}{options}{_version(compiler)}".encode()).hexdigest()
        made = folder() / f"{name}-{key[:16]}{suffix}"
        if not made.exists():
            _compile(compiler, parts, options, linking, made)
        return made
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed(f"{file} could not be built: {_words(error)}") from error


@cache
def folder() -> Path:
    """Where compiled kernels are kept: the user's cache, if nobody else can write there."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        place = Path(home) / "stelae" / "kernels"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = place.stat()
        if facts.st_uid == os.getuid() and not facts.st_mode & 0o022 and os.access(place, os.W_OK):
            return place
    except (OSError, RuntimeError):  # the latter where a user has no home
        pass
    return Path(tempfile.mkdtemp(prefix="stelae-kernels-"))


@cache
def _version(compiler: str) -> str:
    asked = subprocess.run([compiler, "--version"], capture_output=True, timeout=SECONDS)
    return asked.stdout.decode("utf-8", "replace")


def _compile(
    compiler: str,
    parts: Mapping[str, str],
    options: tuple[str, ...],
    linking: tuple[str, ...],
    made: Path,
) -> None:
    """Compile beside the place of what is made and move it there, so that nobody sees half of it.

    Args:
        compiler: Its path.
        parts: What is compiled and the headers that it includes, texts by name.
        options: Of the compiler.
        linking: Options for the second step.
        made: A library or a program.
    """
    with tempfile.TemporaryDirectory(dir=made.parent) as work:
        for name, text in parts.items():
            Path(work, name).write_text(text, "utf-8")
        source, compiled, whole = (Path(work, name) for name in (next(iter(parts)), "it.o", "it"))
        # In two steps: linking with -fopenmp would bind a second OpenMP to it.
        _run(compiler, *options, "-c", str(source), "-o", str(compiled))
        _run(compiler, *linking, str(compiled), "-o", str(whole))
        whole.replace(made)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)


def _words(error: BaseException) -> str:
    """What went wrong, in a line."""
    said = getattr(error, "stderr", None)
    last = said.decode("utf-8", "replace").strip().splitlines()[-1:] if said else []
    return last[0] if last else str(error)
