"""Files as others wrote them: parts as first published, adapters of other trainers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_imaging import (
    OPTIONS,
    apart,
    call,
    folder_of,
    library,
    loaded,
    painted,
    patiently,
    reference,
)
from msgspec.structs import replace
from safetensors.numpy import load_file, save_file
from tiny.imaging import write_lora
from tiny.numbers import Numbers

from stelae.catalog.adapters import Adapters
from stelae.engines.diffusers.engine import ImageEngine

WEIGHTS = "diffusion_pytorch_model.safetensors"
OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""Layers of the decoder's attention, as they are called now and were then."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipeline that a test may change."""
    return shutil.copytree(folder_of("sd"), tmp_path / "sd")


def renamed(file: Path, name: Any) -> None:
    """Give the tensors of a file other names."""
    save_file({name(key): value for key, value in load_file(file).items()}, file, {"format": "pt"})


def old_attention(name: str) -> str:
    for new, old in OLD.items():
        name = name.replace(f".{new}.", f".{old}.") if ".attentions.0." in name else name
    return name


def test_parts_as_first_published_make_the_same_picture(folder: Path) -> None:
    renamed(folder / "vae" / WEIGHTS, old_attention)
    renamed(folder / "text_encoder/model.safetensors", lambda name: f"text_model.{name}")
    (folder / "unet" / WEIGHTS).rename(folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    tokenizer = folder / "tokenizer/tokenizer.json"
    model = json.loads(tokenizer.read_text("utf-8"))["model"]
    tokenizer.with_name("vocab.json").write_text(json.dumps(model["vocab"]), "utf-8")
    merges = ["#version: 0.2", *map(" ".join, model["merges"])]
    tokenizer.with_name("merges.txt").write_text("\n".join(merges) + "\n", "utf-8")
    tokenizer.unlink()
    [ours] = painted(loaded(folder), call())
    assert np.array_equal(ours, reference("sd", [0], prompt="a red fox")[0])


def adapted(source: Path) -> ImageEngine:
    adapters = Adapters(sources={"style": str(source)})
    return loaded(folder_of("sd"), replace(OPTIONS, adapters=adapters))


def test_adapter_in_the_names_of_kohya_counts_as_in_the_library(tmp_path: Path) -> None:
    write_lora(tmp_path / "own", folder_of("sd"), "unet")
    tensors = load_file(tmp_path / "own/pytorch_lora_weights.safetensors")
    kohya = {}
    for name, value in tensors.items():
        layer, _, side = name.removesuffix(".weight").rpartition(".lora_")
        layer = layer.replace("unet.", "lora_unet_").replace(".", "_")
        kohya[f"{layer}.lora_{'down' if side == 'A' else 'up'}.weight"] = value
        kohya[f"{layer}.alpha"] = np.array(2.0, np.float32)
    save_file(kohya, tmp_path / "style.safetensors")
    ours = patiently(adapted(tmp_path / "style.safetensors"), call(lora="style"))
    pipeline = library("sd")
    pipeline.load_lora_weights(str(tmp_path), weight_name="style.safetensors")
    [theirs] = reference("sd", [0], prompt="a red fox")
    pipeline.unload_lora_weights()
    assert np.array_equal(ours, theirs)
    assert apart(ours, reference("sd", [0], prompt="a red fox")[0]) > 10


def test_adapter_of_the_text_tower_is_the_sum_of_weights(folder: Path, tmp_path: Path) -> None:
    file, numbers = folder / "text_encoder/model.safetensors", Numbers("tower")
    weights, lora = load_file(file), {}
    layers = [n for n in weights if ".self_attn." in n and n.endswith("proj.weight")]
    for name in layers:
        down, up = numbers.uniform(f"{name}/down", 4, 16), numbers.uniform(f"{name}/up", 16, 4)
        path = f"text_encoder.text_model.{name.removesuffix('.weight')}"
        lora |= {f"{path}.lora_A.weight": down, f"{path}.lora_B.weight": up}
        weights[name] = weights[name] + up @ down
    save_file(lora, tmp_path / "style.safetensors")
    save_file(weights, file, {"format": "pt"})
    ours = patiently(adapted(tmp_path / "style.safetensors"), call(lora="style"))
    [summed] = painted(loaded(folder), call())
    [plain] = reference("sd", [0], prompt="a red fox")
    assert apart(ours, summed) <= 1
    assert apart(ours, plain) > 3
