"""The repository as text: its files, and the blocks of code in its documentation."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "stelae"

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks/README.md"])
"""Every page of the documentation."""

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code in a page."""

    page: Path
    line: int
    language: str
    text: str


def name(path: Path) -> str:
    """A path as people write it, from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page that are in one of the languages."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        if match[1] in languages:
            line = text.count("\n", 0, match.start()) + 2
            found.append(Block(page, line, match[1], match[2]))
    return found


def modules(*folders: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Python files of some folders, parsed; of the package if none is given."""
    for folder in folders or (SOURCE,):
        for file in sorted(folder.rglob("*.py")):
            yield file, ast.parse(file.read_text(encoding="utf-8"), str(file))


@cache
def files() -> tuple[Path, ...]:
    """Every text file of the repository; what ``.gitignore`` leaves out is none."""
    return tuple(path for path in _listed() if path.is_file() and b"\0" not in path.read_bytes())


def _listed() -> Iterator[Path]:
    if (ROOT / ".git").exists():
        line = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
        yield from (ROOT / path for path in done.stdout.split("\0") if path)
    else:  # an archive without its history
        for top in ROOT.iterdir():
            if not top.name.startswith("."):
                yield from [top] if top.is_file() else sorted(top.rglob("*"))
