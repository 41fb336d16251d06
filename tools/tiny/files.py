"""Writing files so that the same content always gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from tiny.numbers import Tensor


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file; keys keep their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file, tensors in order of name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(dict(sorted(tensors.items())), metadata={"format": "pt"}))


def write_shards(folder: Path, tensors: dict[str, Tensor], count: int) -> None:
    """Write tensors in several files with an index, as large checkpoints have them."""
    names = sorted(tensors)
    table: dict[str, str] = {}
    for shard in range(count):
        file = f"model-{shard + 1:05d}-of-{count:05d}.safetensors"
        part = {name: tensors[name] for name in names[shard::count]}
        write_tensors(folder / file, part)
        table |= dict.fromkeys(part, file)
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(table.items()))}
    write_json(folder / "model.safetensors.index.json", index)
