"""Ask the library which tensors its models save, and write that down.

    PYTHONPATH=tools python -m tiny.train.plans [NAME ...]

Needed where a configuration in one of the modules named in ``main`` has changed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open

from tiny import bark, clap, seeing, speech, writing
from tiny.numbers import Tensor
from tiny.plans import Shape, write_plan


def shapes_of(folder: Path) -> dict[str, Shape]:
    """Names and shapes of the tensors that a model of this configuration saves."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    kind = getattr(transformers, config["architectures"][0])
    with torch.random.fork_rng(devices=[]):
        kind(kind.config_class.from_dict(config)).save_pretrained(folder / "saved")
    with safe_open(folder / "saved" / "model.safetensors", "numpy") as file:
        heads = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        return {n: tuple(h.get_shape()) for n, h in heads.items() if h.get_dtype() == "F32"}


def nothing(name: str, factors: dict[str, float]) -> dict[str, Tensor]:
    """The tensors of a model whose plan is yet to be written."""
    del name, factors
    return {}


def main(wanted: list[str]) -> None:
    """Write the plans that are asked for, or all."""
    for module in (bark, clap, seeing, speech, writing):
        vars(module)["planned"] = nothing
    for write in (*bark.SOUND, *clap.SOUND, *seeing.SOUND, *speech.PLANNED, *writing.SOUND):
        name = write.__name__.replace("_", "-")
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as place:
            write(Path(place))
            write_plan(name, shapes_of(Path(place)))
            print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
