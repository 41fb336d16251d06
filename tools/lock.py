"""Write ``requirements/dev.lock``: every package of every extra, pinned with hashes.

    python tools/lock.py

PyTorch and the CUDA packages that its default build brings are left out: the
Makefile installs ``torch`` at one exact version, from wherever pip finds it, so
that a CPU build offered locally is taken. Needs ``uv`` on the path or in the
environment.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "dev.lock"
LEFT_OUT = re.compile(r"^(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
COMMAND = (
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"),
    *("--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"),
    *("pyproject.toml", "--extra", "all", "--group", "dev"),
)


def resolve() -> str:
    """The whole resolution, as ``uv`` prints it."""
    done = subprocess.run(COMMAND, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def without_torch(resolution: str) -> str:
    """Drop the entries that the Makefile installs by itself."""
    entries = re.split(r"\n(?=\S)", resolution.strip())
    return "\n".join(entry for entry in entries if not LEFT_OUT.match(entry)) + "\n"


if __name__ == "__main__":
    LOCK.parent.mkdir(exist_ok=True)
    LOCK.write_text("# Written by tools/lock.py; do not edit.\n" + without_torch(resolve()))
    print(f"wrote {LOCK.relative_to(ROOT)}")
