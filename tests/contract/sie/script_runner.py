"""Runs the files named, one after the other, and tells which fail; for either client.

python script_runner.py FILE ...
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
import traceback


def main(files: list[str]) -> None:
    """Run them all: one line of JSON each."""
    for file in files:
        fault, said = None, io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                runpy.run_path(file, run_name="__main__")
            except Exception:
                fault = traceback.format_exc()
        row = {"file": file, "fault": fault, "said": said.getvalue()}
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
