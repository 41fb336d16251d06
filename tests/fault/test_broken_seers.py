"""Models of pictures whose faults show only on loading: a typed error that names the fault."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_engine import answer
from safetensors.numpy import load_file, save_file
from tiny.torch_file import write_torch

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import ExtractCall, Item

TENSORS = {
    "detr": "class_labels_classifier.bias",
    "rt-detr": "model.enc_score_head.weight",
    "owlv2": "class_head.dense0.weight",
    "grounding-dino": "model.level_embed",
    "florence2": "model.multi_modal_projector.image_projection.weight",
    "donut": "decoder.model.decoder.layer_norm.weight",
}
"""One tensor of each model."""
WEIGHTS = "model.safetensors"


def load(folder: Path) -> AnyEngine:
    spec = Catalog([ModelEntry(name="tiny", source=str(folder))]).spec("tiny")
    options = EngineOptions(device=Device.CPU, threads=1)
    return registry.load(registry.choose(spec).manifest, spec, options)


@pytest.mark.parametrize("name", TENSORS)
def test_tensor_that_is_missing_is_named(zoo: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(zoo / name, tmp_path / name)
    tensors = load_file(folder / WEIGHTS)
    del tensors[TENSORS[name]]
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(UnsupportedCheckpoint, match="are missing") as caught:
        load(folder)
    assert TENSORS[name] in str(caught.value)


@pytest.mark.parametrize("name", TENSORS)
def test_tensor_of_another_shape_is_refused(zoo: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(zoo / name, tmp_path / name)
    tensors = load_file(folder / WEIGHTS)
    wrong = next(n for n, t in tensors.items() if n.endswith("weight") and t.ndim == 2)
    tensors[wrong] = np.zeros((3, 5), np.float32)
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ModelLoadFailed):
        load(folder)


def test_torchs_own_file_is_read_as_tensors(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "detr", tmp_path / "detr")
    write_torch(folder / "pytorch_model.bin", load_file(folder / WEIGHTS))
    (folder / WEIGHTS).unlink()
    item = Item(pixels=np.arange(7500, dtype=np.uint32).astype(np.uint8).reshape(50, 50, 3))
    call = ExtractCall(model="tiny", items=[item], threshold=0.0)
    found, expected = (answer(load(place), call) for place in (folder, zoo / "detr"))
    assert found.items == expected.items
    assert found.items[0].objects


def test_tokenizer_that_numbers_otherwise_than_bert_is_refused(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "grounding-dino", tmp_path / "dino")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(zoo / "bert-mean" / file, folder / file)
    with pytest.raises(UnsupportedCheckpoint, match=r"takes .* for granted"):
        load(folder)


def test_donut_without_tasks_is_refused(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "donut", tmp_path / "donut")
    table = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    table["added_tokens"] = [t for t in table["added_tokens"] if not t["content"].startswith("<s_")]
    (folder / "tokenizer.json").write_text(json.dumps(table), "utf-8")
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    del settings["added_tokens_decoder"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    with pytest.raises(ModelLoadFailed, match="names a task"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("detr", {"d_model": 30}),
        ("owlv2", {"text_config": {"hidden_size": "wide"}}),
        ("florence2", {"text_config": {"model_type": "no-such", "max_position_embeddings": 9}}),
        ("grounding-dino", {"backbone_config": {"model_type": "no-such"}}),
    ],
)
def test_configuration_that_the_library_cannot_read_is_refused(
    zoo: Path, tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    folder = shutil.copytree(zoo / name, tmp_path / name)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changes), "utf-8")
    with pytest.raises(ModelLoadFailed, match="transformers cannot load"):
        load(folder)
