"""Checkpoints whose tokenizer knows more tokens than their weights have vectors of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fix_engine import answer
from fix_int8 import prose
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.calibrate import LEAST, ready
from stelae.engines.encoder.engine import load
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.text.engine import TextEngine
from stelae.errors import InvalidInput, ModelLoadFailed
from stelae.types import EncodeCall, Item, ScoreCall

TABLES = ("embeddings.word_embeddings.weight", "cls.predictions.decoder.weight")
Cut = Callable[[Tokenizer], int]


def changed(zoo: Path, folder: Path, cut: Cut, name: str = "bert-mean") -> ModelSpec:
    """A checkpoint with a further token, and vectors of the first ``cut(tokenizer)`` tokens."""
    shutil.copytree(zoo / name, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = cut(tokenizer)
    tokenizer.add_tokens(["<picture>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"vocab_size": rows}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    tensors = load_file(folder / "model.safetensors")
    for key, tensor in tensors.items():
        if key.endswith(TABLES):
            tensors[key] = tensor[:rows].contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")


def engine(zoo: Path, folder: Path, cut: Cut, name: str = "bert-mean") -> TextEngine:
    """Such a checkpoint, loaded."""
    return load(changed(zoo, folder, cut, name), EngineOptions(threads=1))


def all_known(tokenizer: Tokenizer) -> int:
    """As many as there are tokens."""
    size: int = tokenizer.get_vocab_size()
    return size


@pytest.mark.parametrize("given", ["text", "ids"])
def test_a_token_without_a_vector_is_refused_and_its_neighbours_are_not(
    zoo: Path, tmp_path: Path, given: str
) -> None:
    made = engine(zoo, tmp_path / "m", all_known)
    rows = all_known(Tokenizer.from_file(str(zoo / "bert-mean" / "tokenizer.json")))
    wrong = Item(text="a <picture> of it") if given == "text" else Item(token_ids=[1, rows])
    one, two = Item(text="one"), Item(text="two")
    found = answer(made, EncodeCall(model="m", items=[one, wrong, two]))
    assert found.errors.keys() == {1}
    assert found.errors[1].code == InvalidInput.code
    assert f"{rows}" in found.errors[1].message
    assert f"0..{rows - 1}" in found.errors[1].message
    alone = answer(made, EncodeCall(model="m", items=[one, two]))
    np.testing.assert_allclose(found.dense[[0, 2]], alone.dense, atol=1e-6)


def test_what_is_cut_off_is_not_refused(zoo: Path, tmp_path: Path) -> None:
    made = engine(zoo, tmp_path / "m", all_known)
    call = EncodeCall(model="m", items=[Item(text="word " * 2000 + "<picture>")])
    assert not answer(made, call).errors


def test_calibration_leaves_out_texts_with_such_a_token(zoo: Path, tmp_path: Path) -> None:
    spec = changed(zoo, tmp_path / "m", all_known)
    model = TextEncoder(spec, torch.float32, torch.device("cpu"))
    texts = prose()[:LEAST]
    assert len(ready(spec, model, [*texts, "a <picture>"])) == len(ready(spec, model, texts))


def test_a_pair_with_such_a_token_is_refused_alone(zoo: Path, tmp_path: Path) -> None:
    made = engine(zoo, tmp_path / "m", all_known, "cross-encoder")
    documents = [Item(text=text) for text in ("one", "<picture>", "two")]
    found = answer(made, ScoreCall(model="m", query=Item(text="what"), documents=documents))
    assert found.errors.keys() == {1}


@pytest.mark.parametrize("name", ["bert-mean", "cross-encoder"])
def test_a_tokenizer_of_other_weights_is_refused_when_the_model_is_loaded(
    zoo: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ModelLoadFailed, match=r"tokens 0\.\.39; take both"):
        engine(zoo, tmp_path / "m", lambda tokenizer: 40, name)
