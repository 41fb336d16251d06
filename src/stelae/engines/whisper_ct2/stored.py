"""Where converted models are kept: one folder each, whole or not there at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog

from stelae.errors import ModelLoadFailed

log = structlog.get_logger(__name__)

WHOLE = "config.json"
"""The file that is written last."""


def cache_home() -> Path:
    """``stelae/ctranslate2`` in the user's folder for caches."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "stelae", "ctranslate2")


def stored(key: str, write: Callable[[Path], None], home: Path) -> Path:
    """A folder of the cache, written if it is not there.

    Several processes may do this at once: each writes a folder of its own, and the first to
    be done gives it its name.

    Args:
        key: Identifies what is in it.
        write: Writes it.
        home: The cache.

    Raises:
        ModelLoadFailed: The folder cannot be written.
    """
    folder = home / key
    if (folder / WHOLE).is_file():
        return folder
    log.info("model_converting", to=str(folder))
    try:
        home.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=home))
        try:
            write(made)
            _name(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise ModelLoadFailed(
            f"cannot write {folder}: {error.strerror or error}",
            hint="set XDG_CACHE_HOME to a folder with room, or name engine whisper",
        ) from error
    log.info("model_converted", to=str(folder))
    return folder


def _name(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not (folder / WHOLE).is_file():  # another process was not first: something is wrong
            raise
