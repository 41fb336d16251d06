"""Write small checkpoints in real layouts, the same bytes every time.

Usage: python tools/zoo.py OUT [NAME ...]
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from tiny import (
    bark,
    clap,
    classic,
    decoders,
    finders,
    gte,
    heads,
    hearing,
    pages,
    rotary,
    seeing,
    speech,
    vision,
    writing,
)
from tiny.broken import BROKEN
from tiny.sound import MATRYOSHKA, SOUND

__all__ = ["CHECKPOINTS", "MATRYOSHKA", "build"]

CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    write.__name__.replace("_", "-"): write
    for write in (
        *SOUND,
        *bark.SOUND,
        *clap.SOUND,
        *classic.SOUND,
        *decoders.SOUND,
        *finders.SOUND,
        *gte.SOUND,
        *heads.SOUND,
        *hearing.SOUND,
        *rotary.SOUND,
        *vision.SOUND,
        *pages.SOUND,
        *seeing.SOUND,
        *speech.SOUND,
        *writing.SOUND,
        *BROKEN,
    )
}
"""How each checkpoint is written, by name; ``broken-...`` must be refused."""

PIPELINES = ("sd", "sd-inpaint", "sdxl", "sd-turbo", "sd3", "flux", "qwen-image")
"""Those that make pictures; written by their library, and only when asked for by name."""


def build(out: Path, names: Iterable[str] = ()) -> list[Path]:
    """Write checkpoints, each into a folder of its name; what was there goes.

    Args:
        out: Folder to write into.
        names: Which ones; none means all but ``PIPELINES``.

    Returns:
        Their folders.

    Raises:
        ValueError: There is no checkpoint of that name.
    """
    wanted = list(names) or list(CHECKPOINTS)
    known = [*CHECKPOINTS, *PIPELINES]
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise ValueError(f"no checkpoint {name!r}; did you mean {near or known}?")
    return [_write(out / name, _writer(name)) for name in wanted]


def _writer(name: str) -> Callable[[Path], None]:
    if name not in PIPELINES:
        return CHECKPOINTS[name]
    write: Callable[[Path], None] = import_module("tiny.imaging").MAKERS[name]
    return write


def _write(folder: Path, write: Callable[[Path], None]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(folder)
    return folder


def main(arguments: list[str]) -> int:
    """Write what the arguments ask for and list it."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        known = {name: _writer(name) for name in (*CHECKPOINTS, *PIPELINES)}
        print("\n".join(f"  {name:<18} {write.__doc__}" for name, write in known.items()))
        return 0 if arguments else 2
    for folder in build(Path(arguments[0]), arguments[1:]):
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"{folder}  {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
