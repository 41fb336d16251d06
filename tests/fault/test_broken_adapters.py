"""Adapters that are torn, of another kind or for another model: refused, and told by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_adapters import asked, engine_with
from safetensors.numpy import load_file, save_file
from tiny.adapters import write_adapter

from stelae.engines.text.engine import TextEngine
from stelae.errors import InvalidInput, LoraFailed
from stelae.types import EncodeCall, Item

Tensors = dict[str, Any]

LAYER = "base_model.model.encoder.layer.1.attention.self.key"
ATTENTION = "base_model.model.encoder.layer.1.attention"


def ask(engine: TextEngine, lora: str | None = "one") -> Any:
    """A vector made with an adapter."""
    return asked(engine, EncodeCall(model="m", items=[Item(text="a river")], lora=lora))


def change(folder: Path, how: Callable[[Tensors], None]) -> None:
    """Change the tensors of an adapter."""
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    how(tensors)
    save_file(tensors, file)


def configure(folder: Path, **options: Any) -> None:
    """Change options of an adapter."""
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | options), "utf-8")


def renamed(old: str, new: str) -> Callable[[Tensors], None]:
    """Gives a part of all names another name."""

    def rename(tensors: Tensors) -> None:
        for name in list(tensors):
            tensors[name.replace(old, new)] = tensors.pop(name)

    return rename


def put(name: str, *shape: int, value: float = 0.0) -> Callable[[Tensors], None]:
    """Adds a tensor, or puts another in its place."""
    return lambda tensors: tensors.update({name: np.full(shape, value, np.float32)})


def without(*names: str) -> Callable[[Tensors], None]:
    """Takes tensors away."""

    def take(tensors: Tensors) -> None:
        for name in names:
            del tensors[name]

    return take


BROKEN: dict[str, tuple[Callable[[Tensors], None], str]] = {
    "wrong width": (
        put(f"{LAYER}.lora_A.weight", 4, 32),
        rf"{LAYER}.lora_A.weight of shape \(4, 32\); .* \(4, 64\) was expected",
    ),
    "wrong rank": (
        put(f"{LAYER}.lora_B.weight", 64, 2),
        rf"{LAYER}.lora_B.weight of shape \(64, 2\); .* \(64, 4\) was expected",
    ),
    "half a pair": (
        without(f"{LAYER}.lora_B.weight"),
        rf"lack {LAYER}.lora_B.weight beside {LAYER}.lora_A.weight",
    ),
    "a layer less than it says": (
        without(f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight"),
        f"lack {LAYER}.lora_A.weight, which target_modules asks for",
    ),
    "another model": (
        renamed("encoder.layer.", "transformer.h."),
        r"base_model.model.transformer.h.0.attention.self.\w+.lora_A.weight, but the model has "
        r"no layer transformer.h.0.attention.self.\w+ that can be changed; "
        "it was trained for bert-mean",
    ),
    "a deeper model": (
        renamed("layer.1.", "layer.7."),
        r"the model has no layer encoder.layer.7.attention",
    ),
    "a layer that it does not name": (
        renamed("self.key", "output.dense"),
        "output.dense.lora_A.weight, but target_modules does not name that layer",
    ),
    "no number": (
        put(f"{LAYER}.lora_A.weight", 4, 64, value=np.nan),
        f"{LAYER}.lora_A.weight with numbers that are not finite",
    ),
    "an embedding": (
        put("base_model.model.embeddings.word_embeddings.lora_embedding_A", 4, 100),
        "word_embeddings.lora_embedding_A, for which nothing is implemented",
    ),
    "a magnitude": (
        put(f"{LAYER}.lora_magnitude_vector", 64),
        f"{LAYER}.lora_magnitude_vector, for which nothing is implemented",
    ),
    "whole weights": (
        put(f"{ATTENTION}.output.dense.weight", 64, 64),
        f"{ATTENTION}.output.dense.weight, for which nothing is implemented",
    ),
}


@pytest.mark.parametrize(("how", "message"), BROKEN.values(), ids=[*BROKEN])
def test_tensors_at_fault_are_named(
    zoo: Path, tmp_path: Path, how: Callable[[Tensors], None], message: str
) -> None:
    folder = tmp_path / "one"
    write_adapter(folder, zoo / "bert-mean")
    change(folder, how)
    engine = engine_with(zoo / "bert-mean", {"one": folder})
    with pytest.raises(LoraFailed, match=message) as caught:
        ask(engine)
    assert str(folder / "adapter_model.safetensors") in caught.value.message
    assert np.isfinite(ask(engine, None).dense).all()


def test_new_weights_of_the_trunk_are_refused(zoo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_adapter(folder, zoo / "bert-mean", modules_to_save=["attention.output.dense"])
    change(folder, put(f"{ATTENTION}.output.dense.weight", 64, 64))
    with pytest.raises(LoraFailed, match="implemented for layers of the head"):
        ask(engine_with(zoo / "bert-mean", {"one": folder}))


def test_an_adapter_that_changes_nothing_here_is_refused(zoo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_adapter(folder, zoo / "bert-mean", ["pooler.dense"])
    with pytest.raises(LoraFailed, match="nothing that changes what this model computes"):
        ask(engine_with(zoo / "bert-mean", {"one": folder}))


@pytest.mark.parametrize("content", [b"", b"\x10" + bytes(7) + b"{}"])
def test_a_torn_file_is_refused(zoo: Path, tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "one"
    write_adapter(folder, zoo / "bert-mean")
    (folder / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(LoraFailed, match=r"adapter_model\.safetensors cannot be read"):
        ask(engine_with(zoo / "bert-mean", {"one": folder}))


def test_a_pickle_that_would_run_is_not_run(zoo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_adapter(folder, zoo / "bert-mean")
    (folder / "adapter_model.safetensors").unlink()
    evil = (zoo / "broken-head-pickle" / "sparse_linear.pt").read_bytes()
    (folder / "adapter_model.bin").write_bytes(evil)
    with pytest.raises(LoraFailed, match=r"adapter_model\.bin"):
        ask(engine_with(zoo / "bert-mean", {"one": folder}))


@pytest.mark.parametrize("option", [{"use_dora": True}, {"bias": "all"}, {"peft_type": "LOHA"}])
def test_other_kinds_are_refused_by_name(zoo: Path, tmp_path: Path, option: dict[str, Any]) -> None:
    folder = tmp_path / "one"
    write_adapter(folder, zoo / "bert-mean")
    configure(folder, **option)
    with pytest.raises(LoraFailed, match=f"{next(iter(option))}="):
        ask(engine_with(zoo / "bert-mean", {"one": folder}))


@pytest.mark.parametrize("name", ["deberta-mean", "static", "siglip"])
def test_models_that_run_no_adapters_say_so(zoo: Path, tmp_path: Path, name: str) -> None:
    engine = engine_with(zoo / name, {"one": tmp_path})
    with pytest.raises(InvalidInput, match="adapters are") as caught:
        engine.open(EncodeCall(model="m", items=[Item(text="a")], lora="one"))
    assert caught.value.param == "lora"


def test_heads_that_count_and_cannot_be_changed_are_told(zoo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_adapter(folder, zoo / "splade", ["query", "transform.dense"])
    engine = engine_with(zoo / "splade", {"one": folder})
    call = EncodeCall(model="m", items=[Item(text="a")], outputs=engine.spec.outputs, lora="one")
    with pytest.raises(LoraFailed, match=r"no layer cls\.predictions\.transform\.dense"):
        asked(engine, call)
