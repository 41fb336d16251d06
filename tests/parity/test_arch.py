"""No architecture without its comparison with the reference."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from stelae.nn.architectures import known

FILES = sorted((Path(__file__).parent / "arch").glob("test_*.py"))


def words() -> set[str]:
    """All texts that stand in the comparisons, where cases have their names."""
    return {
        node.value
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("name", sorted(known()))
def test_every_architecture_is_compared_with_its_reference(name: str) -> None:
    assert name in words(), f"add {name} to a file in tests/parity/arch"
