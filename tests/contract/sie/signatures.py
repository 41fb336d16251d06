"""Runs in the environment of either client: its public names and what they take, as JSON.

python signatures.py MODULE
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys

CLIENTS = ("SIEClient", "SIEAsyncClient")
PARTS = ("jobs", "files", "batches")


def parameters(value: object) -> list[str] | None:
    """What can be said to it; ``None`` if it is nothing to call."""
    if not callable(value):
        return None
    return [name for name in inspect.signature(value).parameters if name != "self"]


def public(value: object) -> dict[str, list[str] | None]:
    """Its public names, and what each takes."""
    return {n: parameters(v) for n, v in inspect.getmembers(value) if not n.startswith("_")}


def members(kind: type) -> dict[str, list[str] | None]:
    """The public names of a client, of its parts, and its constructor."""
    client = kind("http://127.0.0.1:9")
    parts = {f"{p}.{n}": v for p in PARTS for n, v in public(getattr(client, p)).items()}
    return {**public(kind), **parts, "": parameters(kind)}


def main(module: str) -> None:
    """Print them."""
    package = importlib.import_module(module)
    told = {name: members(getattr(package, name)) for name in CLIENTS}
    sys.stdout.write(json.dumps({"names": sorted(package.__all__), "clients": told}))


if __name__ == "__main__":
    main(sys.argv[1])
