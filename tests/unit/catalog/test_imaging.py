"""Pipelines that make pictures, read from their folders; what is not known is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_hub import Hub, Repo, repo_of, running_hub
from fix_imaging import folder_of, spec_of
from tiny.files import write_tensors
from tiny.imaging import write_lora

from stelae.catalog.abilities import ImageMode
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub import HubOptions, fetch
from stelae.catalog.imaging_adapters import imaging_adapter
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Task

SIZES = {
    "sd": ("StableDiffusionPipeline", (64, 64), 8, 77),
    "sdxl": ("StableDiffusionXLPipeline", (64, 64), 8, 77),
    "sd-turbo": ("StableDiffusionPipeline", (64, 64), 8, 77),
    "sd3": ("StableDiffusion3Pipeline", (64, 64), 16, 256),
    "flux": ("FluxPipeline", (256, 256), 4, 512),
    "qwen-image": ("QwenImagePipeline", (256, 256), 4, 512),
}


@pytest.mark.parametrize("name", SIZES)
def test_pipeline_tells_its_sizes_and_how_much_it_reads(name: str) -> None:
    spec = spec_of(folder_of(name))
    made = spec.imaging
    assert made is not None
    assert (made.pipeline, made.size, made.multiple, made.longest) == SIZES[name]
    assert made.modes == tuple(ImageMode)
    assert spec.tasks == (Task.IMAGE,)


def test_pipeline_for_masks_does_nothing_else() -> None:
    made = spec_of(folder_of("sd-inpaint")).imaging
    assert made is not None
    assert made.modes == (ImageMode.INPAINT,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipeline that a test may change."""
    return shutil.copytree(folder_of("sd"), tmp_path / "sd")


def change(folder: Path, **values: Any) -> None:
    file = folder / "model_index.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values), "utf-8")


Change = Callable[[Path], Any]
REFUSED: dict[str, tuple[Change, str]] = {
    "pipeline": (
        lambda f: change(f, _class_name="KolorsPipeline"),
        "KolorsPipeline.*known are StableDiffusionPipeline",
    ),
    "class of a part": (
        lambda f: change(f, unet=["diffusers", "UNet3DConditionModel"]),
        "unet from diffusers.UNet3DConditionModel.*known is UNet2DConditionModel",
    ),
    "code of its own": (
        lambda f: change(f, unet=["my_unet", "UNet2DConditionModel"]),
        "my_unet.UNet2DConditionModel",
    ),
    "part": (lambda f: change(f, prior=["diffusers", "PriorTransformer"]), "'prior'"),
    "no scheduler": (lambda f: change(f, scheduler=["os", "system"]), "os.system"),
    "pickles": (
        lambda f: (f / "unet/diffusion_pytorch_model.safetensors").rename(
            f / "unet/diffusion_pytorch_model.bin"
        ),
        "weights of unet .* diffusion_pytorch_model.bin; only safetensors",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_name(name: str, folder: Path) -> None:
    spoil, told = REFUSED[name]
    spoil(folder)
    with pytest.raises(UnsupportedCheckpoint, match=told):
        spec_of(folder)


BROKEN: dict[str, tuple[Change, str]] = {
    "no part": (lambda f: change(f, vae=None), "vae=None"),
    "half a part": (lambda f: change(f, vae=["diffusers"]), "vae="),
    "no weights": (
        lambda f: (f / "vae/diffusion_pytorch_model.safetensors").unlink(),
        r"no diffusion_pytorch_model.safetensors",
    ),
    "cut off": (
        lambda f: (f / "vae/diffusion_pytorch_model.safetensors").write_bytes(b"\x10"),
        "not a whole safetensors file",
    ),
    "no configuration": (lambda f: (f / "unet/config.json").unlink(), "no unet/config.json"),
    "no length": (lambda f: (f / "tokenizer/tokenizer_config.json").unlink(), "model_max_length"),
    "no size": (
        lambda f: (f / "unet/config.json").write_text('{"sample_size": "large"}', "utf-8"),
        "sample_size",
    ),
    "no index": (lambda f: (f / "model_index.json").write_text("{", "utf-8"), "not valid JSON"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_told(name: str, folder: Path) -> None:
    spoil, told = BROKEN[name]
    spoil(folder)
    with pytest.raises(ModelLoadFailed, match=told):
        spec_of(folder)


def test_parts_that_make_no_picture_are_not_looked_at(folder: Path) -> None:
    change(folder, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert spec_of(folder).imaging is not None


def test_longest_prompt_cannot_be_set(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="max_tokens"):
        Catalog([ModelEntry(name="m", source=str(folder), max_tokens=10)]).spec("m")


def test_weights_of_half_the_size_count_where_there_are_no_others(folder: Path) -> None:
    plain = folder / "vae/diffusion_pytorch_model.safetensors"
    half = plain.with_name("diffusion_pytorch_model.fp16.safetensors")
    shutil.copy(plain, half)
    assert not any("fp16" in name for name in spec_of(folder).backbone.weights)
    plain.unlink()
    assert "vae/diffusion_pytorch_model.fp16.safetensors" in spec_of(folder).backbone.weights


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as made:
        yield made


def test_hub_gives_each_part_once_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    repo = repo_of(folder_of("sd3"))
    whole = set(repo.files)
    one = "text_encoder/model.safetensors"
    repo.files |= {
        "sd3_medium.safetensors": b"all parts in one file",
        "vae/diffusion_pytorch_model.fp16.safetensors": b"the same once more",
        "vae_1_0/diffusion_pytorch_model.safetensors": b"another",
        "safety_checker/model.safetensors": b"not needed",
        "text_encoder/model.fp16.safetensors": repo.files.pop(one),
    }
    hub.repos["tiny/sd3"] = repo
    options = HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)
    folder = fetch("tiny/sd3", None, options).folder
    fetched = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert fetched == whole - {one} | {"text_encoder/model.fp16.safetensors"}
    assert spec_of(folder).imaging is not None


@pytest.mark.parametrize("name", ["pytorch_lora_weights.safetensors", "pixel-art.safetensors"])
def test_adapter_is_fetched_under_whatever_name_it_has(hub: Hub, tmp_path: Path, name: str) -> None:
    write_lora(tmp_path / "style", folder_of("sd"), "unet")
    content = (tmp_path / "style/pytorch_lora_weights.safetensors").read_bytes()
    hub.repos["tiny/style"] = Repo({name: content, "README.md": b"much text"})
    options = HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)
    file = imaging_adapter("tiny/style", options)
    assert (file.name, file.read_bytes()) == (name, content)
    assert "README.md" not in hub.fetched()


def test_adapter_may_be_named_by_its_file(tmp_path: Path) -> None:
    write_lora(tmp_path, folder_of("sd"), "unet")
    file = tmp_path / "pytorch_lora_weights.safetensors"
    assert imaging_adapter(str(file), HubOptions()) == file
    assert imaging_adapter(str(tmp_path), HubOptions()) == file
    file.with_name("other.safetensors").write_bytes(file.read_bytes())
    file.rename(tmp_path / "third.safetensors")
    with pytest.raises(ModelLoadFailed, match="2 other files"):
        imaging_adapter(str(tmp_path), HubOptions())


@pytest.mark.parametrize("name", ["unet.conv.weight", "unet.to_q.lora_magnitude_vector", "x.bias"])
def test_more_than_matrices_is_no_adapter(tmp_path: Path, name: str) -> None:
    write_tensors(tmp_path / "style.safetensors", {name: np.zeros((2, 2), np.float32)})
    with pytest.raises(UnsupportedCheckpoint, match=name):
        imaging_adapter(str(tmp_path), HubOptions())
