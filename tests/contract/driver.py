"""Runs in the environment of a real client: every check of a folder, one line of JSON each.

    python driver.py FOLDER ADDRESS...

A check is a function of ``FOLDER/checks.py`` or ``FOLDER/checks_....py``, ``check_...``, and is
given the addresses, or the ``Place`` that the file makes of them; what it raises is its fault, and
a ``Skip`` says that the client cannot do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import sys
import traceback
from pathlib import Path
from types import ModuleType


def main(folder: str, *addresses: str) -> None:
    """Run them all."""
    sys.path.insert(0, folder)
    for file in sorted(Path(folder).glob("checks*.py")):
        run(__import__(file.stem), addresses)


def run(checks: ModuleType, addresses: tuple[str, ...]) -> None:
    """Run the checks of one file."""
    given = (checks.Place(*addresses),) if hasattr(checks, "Place") else addresses
    for name, check in [*vars(checks).items()]:
        if name.startswith("check_") and inspect.isfunction(check):
            with contextlib.redirect_stdout(sys.stderr):
                fault = fault_of(check, checks.Skip, *given)
            sys.stdout.write(json.dumps({"check": name, "fault": fault}) + "\n")
            sys.stdout.flush()


def fault_of(check: object, skip: type[Exception], *given: object) -> str | None:
    """What is wrong, if anything; a skipped check says why."""
    try:
        if inspect.iscoroutinefunction(check):
            asyncio.run(check(*given))
        else:
            check(*given)
    except skip as skipped:
        return f"skip: {skipped}"
    except BaseException:
        return traceback.format_exc(limit=-5)
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
