"""A tensor that a checkpoint lacks is named as the file would name it, in every family."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import zoo as checkpoints
from safetensors.torch import save_file

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import Backbone, Static
from stelae.engines import encoder
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.errors import ModelLoadFailed
from stelae.nn.backbone import backbone_class
from stelae.nn.stored import Stored, read, within
from stelae.nn.weights import WeightMap, assign

SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]

TWO_NAMES = {"shared.weight": "encoder.embed_tokens.weight"}
"""Tensors that a file may call otherwise."""


@pytest.mark.parametrize("name", SOUND)
def test_every_tensor_of_a_trunk_is_named_when_it_is_not_there(zoo: Path, name: str) -> None:
    spec = Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)
    if isinstance(spec.backbone, Static) or encoder.refuses(spec) is not None:
        pytest.skip("no transformer that our engine serves")
    for part in (spec.backbone, *(() if spec.vision is None else (spec.vision.backbone,))):
        check(part, read(Path(spec.folder, part.folder, file) for file in part.weights))


def check(part: Backbone, stored: Stored) -> None:
    """Leave out one tensor after the other; where it is missed, it is called right."""
    kind, tensors = backbone_class(part.architecture), within(stored, part.prefix)
    with torch.device("meta"):
        trunk = kind.from_config(part.config)
    for lacking in tensors:
        rest = {name: tensor for name, tensor in tensors.items() if name != lacking}
        name = part.prefix + TWO_NAMES.get(lacking, lacking)
        told = complaint(trunk, kind.weights, Stored(rest, prefix=part.prefix))
        assert not told or f" {name} is missing" in told or f" lack {name} beside" in told


def complaint(trunk: torch.nn.Module, weights: WeightMap, tensors: Stored) -> str:
    """Why tensors do not fit; empty if they do, as the lacking one is not used."""
    try:
        assign(trunk, weights.apply(tensors), torch.float32)
    except ModelLoadFailed as error:
        return error.message
    return ""


def test_a_tensor_of_a_dense_layer_is_named(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "bert-dense", tmp_path / "m")
    spec = Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")
    save_file({"linear.weight": torch.zeros(2, 2)}, next(folder.glob("*_Dense/*.safetensors")))
    with pytest.raises(ModelLoadFailed, match=r"linear\.bias is missing; linear\.weight has shape"):
        load(spec, EngineOptions(device=Device.CPU, threads=1))
