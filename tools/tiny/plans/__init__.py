"""The tensors that large classes of models save: names and shapes, as text beside this file.

A line is a module, then each of its tensors with its shape: ``encoder.norm weight 32 bias 32``.
They are written by ``PYTHONPATH=tools python -m tiny.train.plans`` from the models themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tiny.numbers import Numbers, Tensor

HOME = Path(__file__).parent

Shape = tuple[int, ...]


def write_plan(name: str, shapes: dict[str, Shape]) -> None:
    """Write the plan of a model."""
    modules: dict[str, list[str]] = {}
    for tensor, shape in sorted(shapes.items()):
        module, _, last = tensor.rpartition(".")
        sizes = "x".join(map(str, shape)) or "-"
        modules.setdefault(module or ".", []).append(f"{last} {sizes}")
    lines = [f"{module} {' '.join(parts)}" for module, parts in modules.items()]
    (HOME / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")


def read_plan(name: str) -> Iterator[tuple[str, Shape]]:
    """Names of a model's tensors and their shapes."""
    for line in (HOME / f"{name}.txt").read_text("utf-8").splitlines():
        module, *parts = line.split()
        for last, sizes in zip(parts[::2], parts[1::2], strict=True):
            shape = () if sizes == "-" else tuple(map(int, sizes.split("x")))
            yield (last if module == "." else f"{module}.{last}"), shape


def planned(name: str, factors: dict[str, float] | None = None) -> dict[str, Tensor]:
    """All tensors of a model, of sizes at which signals neither grow nor fade.

    Args:
        name: Of the plan.
        factors: What the tensors whose names have a part in them are multiplied with, so
            that the model neither is sure of all nor of nothing.
    """
    numbers = Numbers(name)
    tensors = {tensor: _drawn(numbers, tensor, shape) for tensor, shape in read_plan(name)}
    for part, factor in (factors or {}).items():
        for tensor in tensors:
            if part in tensor:
                tensors[tensor] = tensors[tensor] * np.float32(factor)
    return {tensor: np.asarray(values) for tensor, values in tensors.items()}


def _drawn(numbers: Numbers, name: str, shape: Shape) -> Tensor:
    last = name.rpartition(".")[2]
    if last == "running_var" or (last == "weight" and len(shape) == 1):
        return numbers.uniform(name, *shape, middle=1.0, spread=0.2)
    if len(shape) < 2 or last == "bias":
        return numbers.uniform(name, *shape, spread=0.1)
    if "embed" in name and "proj" not in name and len(shape) == 2:
        return numbers.uniform(name, *shape, spread=1.0)
    return numbers.uniform(name, *shape, spread=math.sqrt(3 / math.prod(shape[1:])))
