from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fix_hub import Hub, Repo, repo_of

from stelae.catalog.entry import EMBEDDED, ModelEntry
from stelae.catalog.hub import HubOptions
from stelae.catalog.weighing import Weight, weigh
from stelae.errors import ModelNotFound

Edit = Callable[..., Path]
ID = "tiny/bert"


@pytest.fixture
def options(hub: Hub, tmp_path: Path) -> HubOptions:
    return HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)


def weights_of(repo: Repo) -> int:
    """Bytes of all files with weights."""
    return sum(len(data) for name, data in repo.files.items() if name.endswith(".safetensors"))


def entry(source: str | Path, **more: Any) -> ModelEntry:
    return ModelEntry(name="mine", source=str(source), **more)


def test_a_folder_weighs_as_much_as_its_files_of_weights(zoo: Path) -> None:
    whole = weights_of(repo_of(zoo / "bert-dense"))
    assert weigh(entry(zoo / "bert-dense"), HubOptions()) == Weight(bytes=whole, bits=32)


def test_the_embedded_model_weighs_its_22_million_numbers() -> None:
    weight = weigh(entry(EMBEDDED), HubOptions())
    assert weight.bits == 32
    assert round(weight.bytes / 4 / 22_713_216, 3) == 1.0  # parameters as its card states them


@pytest.mark.parametrize(("stored", "bits"), [("bfloat16", 16), ("float16", 16), ("float32", 32)])
def test_numbers_have_the_bits_that_the_configuration_names(
    edited: Edit, stored: str, bits: int
) -> None:
    old = edited("bert-mean", "config.json", torch_dtype=stored, dtype=None)
    assert weigh(entry(old), HubOptions()).bits == bits
    new = edited("bert-mean", "config.json", torch_dtype=None, dtype=stored)
    assert weigh(entry(new), HubOptions()).bits == bits


def test_quantised_numbers_stay_as_they_are_stored(edited: Edit) -> None:
    folder = edited("bert-mean", "config.json", quantization_config={"quant_method": "gptq"})
    assert weigh(entry(folder), HubOptions()).bits is None


def test_copies_of_the_weights_for_others_weigh_nothing(edited: Edit) -> None:
    folder = edited("bert-mean", "config.json")
    alone = weigh(entry(folder), HubOptions())
    (folder / "pytorch_model.bin").write_bytes(bytes(1000))
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(bytes(1000))
    assert weigh(entry(folder), HubOptions()) == alone


def test_weights_of_torch_count_where_there_are_no_others(edited: Edit) -> None:
    folder = edited("bert-mean", "config.json")
    for file in folder.rglob("*.safetensors"):
        file.unlink()
    (folder / "pytorch_model.bin").write_bytes(bytes(1000))
    assert weigh(entry(folder), HubOptions()).bytes == 1000


def test_a_gguf_file_weighs_its_size_and_is_never_widened(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(bytes(1000))
    for source in (file, tmp_path):
        assert weigh(entry(source), HubOptions()) == Weight(bytes=1000)


def test_a_folder_that_is_not_there_weighs_nothing(tmp_path: Path) -> None:
    assert weigh(entry(tmp_path / "none"), HubOptions()).bytes == 0


def test_files_that_cannot_be_looked_at_weigh_nothing(edited: Edit) -> None:
    folder = edited("bert-mean", "config.json")
    whole = weigh(entry(folder), HubOptions())
    (folder / "model-00001-of-00002.safetensors").symlink_to("model-00001-of-00002.safetensors")
    os.mkfifo(folder / "model-00002-of-00002.safetensors")
    assert weigh(entry(folder), HubOptions()) == whole


def test_a_model_of_the_hub_is_weighed_without_its_weights(
    hub: Hub, options: HubOptions, zoo: Path
) -> None:
    hub.repos[ID] = repo_of(zoo / "bert-dense", sizes={"model.safetensors": 7 * 10**12})
    others = weights_of(hub.repos[ID]) - len(hub.repos[ID].files["model.safetensors"])
    assert weigh(entry(ID), options) == Weight(bytes=7 * 10**12 + others, bits=32)
    assert {Path(path).name for path in hub.fetched()} == {"config.json"}


def test_of_a_file_of_the_hub_nothing_is_fetched(hub: Hub, options: HubOptions) -> None:
    hub.repos[ID] = Repo({"small-q4.gguf": bytes(10), "small-q8.gguf": bytes(20)})
    assert weigh(entry(ID, files=("*q8.gguf",)), options) == Weight(bytes=20)
    assert hub.fetched() == []


def test_parts_of_a_pipeline_are_weighed_once(hub: Hub, options: HubOptions) -> None:
    index = b'{"_class_name": "X", "unet": ["diffusers", "U"], "vae": ["diffusers", "V"]}'
    hub.repos[ID] = Repo({
        "model_index.json": index,
        "unet/diffusion_pytorch_model.safetensors": bytes(100),
        "unet/diffusion_pytorch_model.fp16.safetensors": bytes(50),
        "vae/diffusion_pytorch_model.fp16.safetensors": bytes(30),
        "whole.safetensors": bytes(1000),
    })  # fmt: skip
    assert weigh(entry(ID), options).bytes == 130


def test_what_the_cache_holds_is_weighed_without_the_hub(
    hub: Hub, options: HubOptions, zoo: Path
) -> None:
    hub.repos[ID] = repo_of(zoo / "bert-dense")
    online = weigh(entry(ID), options)
    hub.repos[ID].outage = 503
    assert weigh(entry(ID), options) == online


def test_what_is_not_on_the_hub_is_not_found(options: HubOptions) -> None:
    with pytest.raises(ModelNotFound):
        weigh(entry("nobody/nothing"), options)
