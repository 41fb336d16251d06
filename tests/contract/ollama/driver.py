"""Runs in the environment of the real client: every check, one line of JSON each.

    python driver.py URL LOCKED

A check is a function of ``checks.py``, ``check_...``; what it raises is its fault. ``LOCKED`` is
the port of a server that wants a key.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import checks  # beside this file


def main(url: str, locked: str) -> None:
    """Run them all."""
    checks.LOCKED = int(locked)
    for name, check in vars(checks).items():
        if name.startswith("check_") and inspect.isfunction(check):
            row = {"check": name, "fault": fault_of(check, url)}
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


def fault_of(check: object, url: str) -> str | None:
    """What is wrong, if anything."""
    try:
        if inspect.iscoroutinefunction(check):
            asyncio.run(check(url))
        else:
            check(url)
    except BaseException:
        return traceback.format_exc(limit=4)
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
