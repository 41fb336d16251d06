"""Runs a block of the client's guide, and tells what its last value was; for either client.

python block_runner.py FILE [MODEL_UID]

The block finds the name of a model as ``model_uid``, and leaves what the model made as ``made``.
"""

from __future__ import annotations

import json
import runpy
import sys
from typing import Any


def shown(made: Any) -> Any:
    """The same as JSON can tell it."""
    return made.model_dump() if hasattr(made, "model_dump") else made


def main(file: str, model_uid: str = "") -> None:
    """Run it; the last line said is JSON."""
    left = runpy.run_path(file, {"model_uid": model_uid}, run_name="__main__")
    told = {"model_uid": left["model_uid"], "made": shown(left["made"])}
    sys.stdout.write("\n" + json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
