"""Runs in the environment of either client: what clients and handles take, as JSON.

python signatures.py MODULE
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from types import ModuleType
from typing import Any

PREFIX = "RESTful"
"""What stands before the names of handles in the light package, and not in the full one."""


def parameters(value: Any) -> list[list[Any]]:
    """What can be said to it: names, kinds and defaults."""
    given = inspect.signature(value).parameters.values()
    return [
        [p.name, p.kind.name, repr(p.default) if p.default is not p.empty else None]
        for p in given
        if p.name != "self"
    ]


def members(kind: type) -> dict[str, list[list[Any]]]:
    """The methods of a class, and its constructor."""
    methods = inspect.getmembers(kind, inspect.isfunction)
    told = {name: parameters(value) for name, value in methods if not name.startswith("_")}
    return {**told, "": parameters(kind)}


def classes(package: ModuleType) -> dict[str, type]:
    """The clients and handles of a package, by the names of the full one."""
    return {
        name.replace(PREFIX, ""): value
        for name, value in inspect.getmembers(package, inspect.isclass)
        if name.endswith("Handle") or name in ("Client", "AsyncClient")
    }


def main(*modules: str) -> None:
    """Print them."""
    told: dict[str, Any] = {}
    for module in modules:
        package = importlib.import_module(module)
        told |= {name: members(kind) for name, kind in classes(package).items()}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
