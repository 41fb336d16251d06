"""A checkpoint with an option that our engine has not got is served by the library, visibly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live import live
from sentence_transformers import CrossEncoder, SentenceTransformer

from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.service.inference import Caller
from stelae.types import EncodeCall, Item, ModelInfo, ScoreCall

TEXTS = ["the king of stone", "a long river " * 9, "x"]
Edit = Callable[..., Path]


@pytest.fixture
def edited(zoo: Path, tmp_path: Path) -> Edit:
    """A function that copies a checkpoint and changes its ``config.json``."""

    def edit(name: str, **changes: Any) -> Path:
        folder = shutil.copytree(zoo / name, tmp_path / name)
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")
        return folder

    return edit


async def served(folder: Path, placement: str = "thread", **entry: Any) -> tuple[ModelInfo, Any]:
    """What a server tells of a model, and the vectors that it makes."""
    settings = {"m": {"source": str(folder)} | entry}
    async with live(models=settings, placement=placement, device="cpu") as server:
        info = await server.house.fleet.load("m")
        call = EncodeCall(model="m", items=[Item(text=text) for text in TEXTS])
        return info, await server.house.inference.encode(call, Caller(request_id="test"))


@pytest.mark.parametrize("placement", ["thread", "process"])
async def test_the_library_serves_what_our_engine_refuses(edited: Edit, placement: str) -> None:
    folder = edited("bert-mean", hidden_act="leaky_relu")
    info, result = await served(folder, placement)
    assert info.engine == "sentence_transformers"
    assert "encoder: config.json: hidden_act='leaky_relu' is not implemented" in info.reason
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    np.testing.assert_allclose(result.dense, model.encode(TEXTS), atol=3e-6)


@pytest.mark.parametrize("placement", ["thread", "process"])
async def test_the_library_scores_what_our_engine_refuses(edited: Edit, placement: str) -> None:
    folder = edited("cross-encoder-labels", hidden_act="leaky_relu")
    settings = {"m": {"source": str(folder)}}
    call = ScoreCall(
        model="m", query=Item(text="a stone"), documents=[Item(text=text) for text in TEXTS]
    )
    async with live(models=settings, placement=placement, device="cpu") as server:
        info = await server.house.fleet.load("m")
        result = await server.house.inference.score(call, Caller(request_id="test"))
    assert info.engine == "sentence_transformers"
    assert "hidden_act='leaky_relu' is not implemented" in info.reason
    library = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    expected = library.predict([("a stone", text) for text in TEXTS])
    np.testing.assert_allclose(result.scores, expected, atol=3e-6)
    assert result.labels == tuple(library.config.id2label.values())


async def test_an_engine_that_was_asked_for_is_not_passed_over(edited: Edit) -> None:
    folder = edited("bert-mean", hidden_act="leaky_relu")
    with pytest.raises(UnsupportedCheckpoint, match="hidden_act='leaky_relu'"):
        await served(folder, engine="encoder")


async def test_what_no_engine_has_is_refused_by_name_with_what_each_says(edited: Edit) -> None:
    folder = edited("bert-mean", hidden_act="nonesuch")
    with pytest.raises(UnsupportedCheckpoint) as caught:
        await served(folder)
    assert "encoder: config.json: hidden_act='nonesuch'" in str(caught.value)
    assert "sentence_transformers: model 'm'" in str(caught.value)


async def test_what_only_our_engine_could_serve_is_refused_by_name(edited: Edit) -> None:
    folder = edited("bert-torch", hidden_act="leaky_relu")
    with pytest.raises(UnsupportedCheckpoint, match="hidden_act='leaky_relu'"):
        await served(folder)


@pytest.mark.parametrize("name", ["broken-missing", "broken-surplus", "broken-shape"])
async def test_weights_that_do_not_fit_are_not_left_to_the_library(zoo: Path, name: str) -> None:
    with pytest.raises(ModelLoadFailed, match="do not fit") as caught:
        await served(zoo / name)
    assert not isinstance(caught.value, UnsupportedCheckpoint)
