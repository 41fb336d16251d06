"""Runs in the environment of the real client: every check, one line of JSON each.

    python driver.py URL URL_WITH_KEY [CHECK...]

A check is a function of ``checks.py``, ``check_...``; what it raises is its fault.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import checks  # beside this file


def main(url: str, locked: str, *names: str) -> None:
    """Run them all, or those named."""
    place = checks.Place(url, locked)
    for name, check in vars(checks).items():
        if name.startswith("check_") and inspect.isfunction(check) and (not names or name in names):
            with contextlib.redirect_stdout(sys.stderr):
                fault = fault_of(check, place)
            sys.stdout.write(json.dumps({"check": name, "fault": fault}) + "\n")
            sys.stdout.flush()


def fault_of(check: object, place: checks.Place) -> str | None:
    """What is wrong, if anything; a skipped check says why."""
    try:
        check(place)
    except checks.Skip as skip:
        return f"skip: {skip}"
    except BaseException:
        return traceback.format_exc(limit=-6)
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
