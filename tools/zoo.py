"""Write small checkpoints in real layouts, the same bytes every time.

Usage: python tools/zoo.py OUT [NAME ...]
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path

from tiny import (
    classic,
    decoders,
    finders,
    gte,
    heads,
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
        *classic.SOUND,
        *decoders.SOUND,
        *finders.SOUND,
        *gte.SOUND,
        *heads.SOUND,
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


def build(out: Path, names: Iterable[str] = ()) -> list[Path]:
    """Write checkpoints, each into a folder of its name; what was there goes.

    Args:
        out: Folder to write into.
        names: Which ones; none means all.

    Returns:
        Their folders.

    Raises:
        ValueError: There is no checkpoint of that name.
    """
    wanted = list(names) or list(CHECKPOINTS)
    for name in wanted:
        if name not in CHECKPOINTS:
            near = get_close_matches(name, CHECKPOINTS, n=1)
            raise ValueError(f"no checkpoint {name!r}; did you mean {near or list(CHECKPOINTS)}?")
    return [_write(out / name, CHECKPOINTS[name]) for name in wanted]


def _write(folder: Path, write: Callable[[Path], None]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(folder)
    return folder


def main(arguments: list[str]) -> int:
    """Write what the arguments ask for and list it."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        print("\n".join(f"  {name:<18} {write.__doc__}" for name, write in CHECKPOINTS.items()))
        return 0 if arguments else 2
    for folder in build(Path(arguments[0]), arguments[1:]):
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"{folder}  {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
