"""Names of the architectures that ``nn/arch`` has, found without importing torch.

A file in ``arch`` declares its names once, in its ``@architecture(...)`` line;
this reads those lines, so there is no second table to keep.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

ARCH = Path(__file__).parent / "arch"


@cache
def homes() -> dict[str, str]:
    """Module that implements each architecture, by class name in ``config.json``."""
    found: dict[str, str] = {}
    for file in sorted(ARCH.glob("[!_]*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                for name in _declared(node):
                    found[name] = f"stelae.nn.arch.{file.stem}"
    for point in entry_points(group="stelae.architectures"):
        found[point.name] = point.value
    return found


def known() -> frozenset[str]:
    """Class names in ``config.json`` that can be built."""
    return frozenset(homes())


def _declared(node: ast.ClassDef) -> list[str]:
    return [
        argument.value
        for call in node.decorator_list
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "architecture"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
