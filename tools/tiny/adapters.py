"""Adapters in small, laid out as PEFT writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor

ATTENTION = ("query", "key", "value")
"""Layers of BERT's attention."""


def write_adapter(
    folder: Path, base: Path, targets: Sequence[str] = ATTENTION, rank: int = 4, **options: Any
) -> None:
    """Write an adapter, whose numbers follow from the folder's name.

    Args:
        folder: Where to.
        base: Checkpoint of the model that it is for, of a single file.
        targets: Ends of the names of the layers that it changes.
        rank: Of its matrices.
        options: More of ``adapter_config.json``.
    """
    tensors: dict[str, Tensor] = {}
    numbers = Numbers(folder.name)
    for path, (outputs, inputs) in layers_of(base).items():
        if any(path.endswith(f".{target}") for target in targets):
            name = f"base_model.model.{path}"
            tensors |= numbers.linear(f"{name}.lora_A", rank, inputs, bias=False)
            tensors |= numbers.linear(f"{name}.lora_B", outputs, rank, bias=False)
    write_tensors(folder / "adapter_model.safetensors", tensors)
    write_json(folder / "adapter_config.json", adapter_config(base, targets, rank) | options)


def layers_of(base: Path) -> dict[str, tuple[int, int]]:
    """Outputs and inputs of every layer of a checkpoint, by name."""
    with safe_open(base / "model.safetensors", "numpy") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return {
        name.removesuffix(".weight"): (shape[0], shape[1])
        for name, shape in shapes.items()
        if name.endswith(".weight") and len(shape) == 2
    }


def adapter_config(base: Path, targets: Sequence[str], rank: int) -> dict[str, Any]:
    """Content of ``adapter_config.json``."""
    return {
        "alpha_pattern": {},
        "auto_mapping": None,
        "base_model_name_or_path": base.name,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "layers_pattern": None,
        "layers_to_transform": None,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": rank,
        "rank_pattern": {},
        "revision": None,
        "target_modules": list(targets),
        "task_type": "FEATURE_EXTRACTION",
        "use_dora": False,
        "use_rslora": False,
    }
