"""Weights of terms through the engine against ``SparseEncoder``, and its own layouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_outputs import FAMILIES, LIMIT, assert_close, encode, engine_of, parts, saved, spec_of
from safetensors.torch import load_file, save_file
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling
from transformers import AutoTokenizer

from stelae.engines.text.engine import TextEngine
from stelae.errors import ModelLoadFailed
from stelae.types import OutputType, Role

TEXTS = [
    "a",
    "",
    "The stone tablet of Ur, and the other stone.",
    "a long river " * 40,
    "x " * (LIMIT - 2),
    "naïve 中文 Σ 12.5% [MASK]",
]
FILL_MASK: dict[str, Any] = {"transformer_task": "fill-mask"}
LOCAL: dict[str, Any] = {"device": "cpu", "local_files_only": True}


def made(modules: Sequence[Any], folder: Path) -> Path:
    """Save a sparse encoder of these modules."""
    SparseEncoder(modules=list(modules), device="cpu").save_pretrained(
        str(folder), create_model_card=False
    )
    return folder


def splade(source: Path, folder: Path, pooling: str = "max", activation: str = "relu") -> Path:
    """Save SPLADE on a transformer."""
    trunk = Transformer(str(source), **FILL_MASK)
    return made([trunk, SpladePooling(pooling, activation_function=activation)], folder)


def assert_equal(folder: Path) -> None:
    """On either side and on none, each text has the library's terms and weights."""
    library, engine = SparseEncoder(str(folder), **LOCAL), engine_of(folder)
    sides = {
        None: library.encode,
        Role.QUERY: library.encode_query,
        Role.DOCUMENT: library.encode_document,
    }
    for role, read in sides.items():
        expected = read(TEXTS, convert_to_sparse_tensor=False).numpy()
        assert_rows(engine, role, expected)


def assert_rows(engine: TextEngine, role: Role | None, expected: Any) -> None:
    column = encode(engine, TEXTS, OutputType.SPARSE, role=role).sparse
    assert column is not None
    assert np.any(expected)
    for row, part in zip(expected, parts(column), strict=True):
        terms = np.flatnonzero(row)
        np.testing.assert_array_equal(column.indices[part], terms)
        assert_close(column.values[part], row[terms])


@pytest.mark.parametrize("activation", ["relu", "log1p_relu"])
@pytest.mark.parametrize("pooling", ["max", "sum"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert"])
def test_weights_equal_the_library(
    zoo: Path, tmp_path: Path, family: str, tied: bool, pooling: str, activation: str
) -> None:
    kind = FAMILIES[family]
    source = saved(zoo, tmp_path / "trunk", kind, "ForMaskedLM", tie_word_embeddings=tied)
    assert_equal(splade(source, tmp_path / "made", pooling, activation))


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet", "electra", "deberta"])
def test_other_trunks_have_the_librarys_weights(zoo: Path, tmp_path: Path, family: str) -> None:
    source = saved(zoo, tmp_path / "trunk", FAMILIES[family], "ForMaskedLM")
    assert_equal(splade(source, tmp_path / "made"))


def test_queries_without_inference_have_the_librarys_weights(zoo: Path, tmp_path: Path) -> None:
    """Terms that occur, each with its fixed weight; documents by SPLADE."""
    source = saved(zoo, tmp_path / "trunk", FAMILIES["distilbert"], "ForMaskedLM")
    tokenizer = AutoTokenizer.from_pretrained(source)
    torch.manual_seed(3)
    weight = torch.rand(len(tokenizer))
    weight[5:20] = 0
    router = Router.for_query_document(
        query_modules=[SparseStaticEmbedding(tokenizer, weight, frozen=True)],
        document_modules=[Transformer(str(source), **FILL_MASK), SpladePooling("max")],
    )
    assert_equal(made([router], tmp_path / "made"))


def test_untied_head_without_its_product_is_refused(zoo: Path, tmp_path: Path) -> None:
    """transformers would make the numbers up, and warn."""
    options = {"tie_word_embeddings": False}
    source = saved(zoo, tmp_path / "trunk", FAMILIES["bert"], "ForMaskedLM", **options)
    folder = splade(source, tmp_path / "made")
    file = folder / "model.safetensors"
    tensors = load_file(file)
    del tensors["cls.predictions.decoder.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    spec = spec_of(folder)
    assert spec.outputs == (OutputType.SPARSE,)
    with pytest.raises(ModelLoadFailed, match=r"tie_word_embeddings=false.*decoder\.weight"):
        engine_of(folder)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_product_that_is_stored_counts_as_the_library_takes_it(
    zoo: Path, tmp_path: Path, tied: bool
) -> None:
    """Also where the configuration says that it is the embeddings, and the numbers differ."""
    options = {"tie_word_embeddings": tied}
    source = saved(zoo, tmp_path / "trunk", FAMILIES["bert"], "ForMaskedLM", **options)
    folder = splade(source, tmp_path / "made")
    file = folder / "model.safetensors"
    tensors = load_file(file)
    words = tensors["bert.embeddings.word_embeddings.weight"]
    tensors["cls.predictions.decoder.weight"] = words.flip(0).contiguous()
    save_file(tensors, file, metadata={"format": "pt"})
    assert_equal(folder)
