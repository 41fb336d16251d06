"""``python -m stelae.xinference``: Xinference's command line, for scripts that have it."""

from __future__ import annotations

from stelae.cli.xinference.app import run

if __name__ == "__main__":
    run()
