"""Finders whose faults show only on loading: a typed error that names the fault."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from tiny.broken import COMMAND
from tiny.torch_file import write_archive

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

WEIGHTS = "model.safetensors"


def load(folder: Path) -> None:
    spec = Catalog([ModelEntry(name="tiny", source=str(folder))]).spec("tiny")
    options = EngineOptions(device=Device.CPU, threads=1)
    registry.load(registry.choose(spec).manifest, spec, options)


@pytest.fixture
def copy(zoo: Path, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: shutil.copytree(zoo / name, tmp_path / name)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads(path.read_text("utf-8"))
    change(value)
    path.write_text(json.dumps(value), "utf-8")


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("gliner-token", "scorer.proj_token.weight"),
        ("gliner-bi", "token_rep_layer.labels_projection.bias"),
        ("gliner-relations", "pair_rep_layer.0.weight"),
        ("gliclass", "model.scorer.mlp.4.weight"),
    ],
)
def test_tensor_that_is_missing_is_named(
    copy: Callable[[str], Path], name: str, tensor: str
) -> None:
    folder = copy(name)
    tensors = load_file(folder / WEIGHTS)
    del tensors[tensor]
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(UnsupportedCheckpoint) as caught:
        load(folder)
    assert tensor in str(caught.value)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [("gliner-token", "scorer.out_mlp.3.bias"), ("gliclass", "model.logit_scale")],
)
def test_tensor_of_another_shape_is_named(
    copy: Callable[[str], Path], name: str, tensor: str
) -> None:
    folder = copy(name)
    tensors = load_file(folder / WEIGHTS)
    tensors[tensor] = tensors[tensor].reshape(1, -1)
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ModelLoadFailed) as caught:
        load(folder)
    assert tensor in str(caught.value)


def test_pickle_in_the_weights_is_not_run(
    copy: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy("gliner-span")
    write_archive(folder / "pytorch_model.bin", COMMAND)
    with pytest.raises(ModelLoadFailed):
        load(folder)
    assert "it has run" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("name", "file"), [("gliner-span", "gliner_config.json"), ("gliclass", "config.json")]
)
def test_encoder_of_a_kind_that_nobody_knows_is_refused(
    copy: Callable[[str], Path], name: str, file: str
) -> None:
    folder = copy(name)
    edit(folder / file, lambda config: config["encoder_config"].update(model_type="no-such"))
    with pytest.raises(ModelLoadFailed) as caught:
        load(folder)
    assert "no-such" in str(caught.value)


def test_half_a_file_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("gliner-token")
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelLoadFailed, match="whole safetensors"):
        load(folder)
