"""Runs in the environment of either client: its public names and what they take, as JSON.

python signatures.py MODULE
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys

CLIENTS = ("SIEClient", "SIEAsyncClient")


def parameters(value: object) -> list[str] | None:
    """What can be said to it; ``None`` if it is nothing to call."""
    if not callable(value):
        return None
    return [name for name in inspect.signature(value).parameters if name != "self"]


def members(kind: type) -> dict[str, list[str] | None]:
    """The public names of a client, and its constructor."""
    found = {n: parameters(v) for n, v in inspect.getmembers(kind) if not n.startswith("_")}
    return {**found, "": parameters(kind)}


def main(module: str) -> None:
    """Print them."""
    package = importlib.import_module(module)
    told = {name: members(getattr(package, name)) for name in CLIENTS}
    sys.stdout.write(json.dumps({"names": sorted(package.__all__), "clients": told}))


if __name__ == "__main__":
    main(sys.argv[1])
