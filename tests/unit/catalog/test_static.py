from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from stelae.catalog.operations import Normalize, Pool, Pooling
from stelae.catalog.spec import ModelSpec, Static
from stelae.errors import ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import OutputType

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

MEAN = Pool(modes=(Pooling.MEAN,), width=48)


def test_static_embedding_is_a_table_and_a_mean(zoo: Path, read: Read) -> None:
    spec = read(zoo / "static")
    assert spec.backbone == Static(
        folder="0_StaticEmbedding", weights="model.safetensors", name="embedding.weight", width=48
    )
    assert spec.chain(OutputType.DENSE) == (MEAN, Normalize())
    assert spec.tokenizer == "0_StaticEmbedding/tokenizer.json"
    assert not spec.framed((OutputType.DENSE,))


def test_static_embedding_is_cut_where_its_tokenizer_cuts(edited: Edit, read: Read) -> None:
    file = "0_StaticEmbedding/tokenizer.json"
    cut = {"direction": "Right", "max_length": 77, "strategy": "LongestFirst", "stride": 0}
    assert read(edited("static", file, truncation=cut)).max_tokens == 77


def test_model2vec_with_shared_rows_is_read_as_its_own_library_does(zoo: Path, read: Read) -> None:
    spec = read(zoo / "model2vec")
    assert spec.backbone == Static(
        folder="", weights="model.safetensors", name="embeddings", width=48, scales="weights",
        rows="mapping", unused=(1,),
    )  # fmt: skip
    assert (spec.max_tokens, spec.normalized) == (512, True)


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    tensors: dict[str, Any] = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


def plain(tensors: dict[str, Any]) -> None:
    table = tensors["embeddings"][tensors.pop("mapping")]
    tensors["embeddings"] = np.ascontiguousarray(table * tensors.pop("weights")[:, None])


def test_plain_model2vec_is_read_as_its_modules_say(edited: Edit, read: Read) -> None:
    """Its ``modules.json`` names the other library, for which each token has its own row."""
    spec = read(rewritten(edited("model2vec", "config.json"), plain))
    assert isinstance(spec.backbone, Static)
    assert (spec.backbone.scales, spec.backbone.rows, spec.backbone.unused) == (None, None, ())
    assert spec.max_tokens == 32768


@pytest.mark.parametrize("normalize", [True, False])
def test_model2vec_without_modules_is_read_by_its_config(
    edited: Edit, read: Read, normalize: bool
) -> None:
    folder = rewritten(edited("model2vec", "config.json", normalize=normalize), plain)
    (folder / "modules.json").unlink()
    spec = read(folder)
    assert isinstance(spec.backbone, Static)
    assert (spec.backbone.unused, spec.normalized) == ((1,), normalize)
    assert "model2vec" in spec.notes[0]


def fewer(name: str) -> Callable[[dict[str, Any]], None]:
    def change(tensors: dict[str, Any]) -> None:
        tensors[name] = np.ascontiguousarray(tensors[name][:-1])

    return change


def floats(tensors: dict[str, Any]) -> None:
    tensors["mapping"] = tensors["mapping"].astype(np.float32)


CHANGES: list[tuple[Callable[[dict[str, Any]], None], type[StelaeError], str]] = [
    (lambda tensors: tensors.pop("embeddings"), ModelLoadFailed, "lacks a table"),
    (lambda tensors: tensors.update(more=np.zeros(2)), UnsupportedCheckpoint, "holds more"),
    (fewer("weights"), ModelLoadFailed, "277 tokens need one number each"),
    (fewer("mapping"), ModelLoadFailed, "277 tokens need one number each"),
    (floats, ModelLoadFailed, "F32 of shape [277]"),
    (lambda tensors: tensors.pop("mapping"), ModelLoadFailed, "has 100 vectors"),
]


@pytest.mark.parametrize(("change", "error", "part"), CHANGES)
def test_table_that_does_not_fit_is_refused_by_name(
    edited: Edit,
    read: Read,
    change: Callable[[dict[str, Any]], None],
    error: type[StelaeError],
    part: str,
) -> None:
    folder = rewritten(edited("model2vec", "config.json"), change)
    with pytest.raises(error) as caught:
        read(folder)
    assert part in str(caught.value)


def test_factors_are_for_folders_of_model2vec_only(edited: Edit, read: Read) -> None:
    folder = edited("model2vec", "config.json", model_type="other", architectures=None)
    with pytest.raises(UnsupportedCheckpoint, match="only folders of model2vec"):
        read(folder)


def test_table_without_tokenizer_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("static", "config_sentence_transformers.json")
    (folder / "0_StaticEmbedding/tokenizer.json").unlink()
    with pytest.raises(UnsupportedCheckpoint, match="tokenizer"):
        read(folder)
