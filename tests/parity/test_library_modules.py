"""Modules that the library alone has, in all the ways it puts them together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_engine import answer
from fix_outputs import FAMILIES, assert_close, encode, parts, saved, spec_of
from fix_unknown import UNKNOWN, engine_of
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    LSTM,
    BoW,
    LayerNorm,
    Pooling,
    WeightedLayerPooling,
    WordEmbeddings,
    WordWeights,
)
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer

from stelae.engines import registry
from stelae.errors import InvalidInput, ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import EncodeCall, Item, OutputType, Role

WORDS = ["[pad]", "stone", "river", "king", "the", "long", "tablet", "of", "Ur"]
TEXTS = ["the stone tablet of Ur!", "king", "a long, long river " * 5, "the long river of Ur"]
WEIGHTS = {"stone": 3.0, "the": 0.25, "river": 2.0}


def words() -> WordEmbeddings:
    """A random vector for each word."""
    torch.manual_seed(6)
    tokenizer = WhitespaceTokenizer(WORDS, stop_words={"of"}, do_lower_case=False)
    return WordEmbeddings(tokenizer, torch.randn(len(WORDS), 12))


Make = Callable[[Path, Path], list[Any]]


def table(zoo: Path, folder: Path) -> list[Any]:
    return [words(), Pooling(12, "mean")]


def weighted(zoo: Path, folder: Path) -> list[Any]:
    weights = WordWeights(WORDS, WEIGHTS, unknown_word_weight=0.5)
    return [words(), weights, Pooling(12, ("mean", "max")), Normalize()]


def convolved(zoo: Path, folder: Path) -> list[Any]:
    return [words(), CNN(12, 8, [1, 3, 5]), Pooling(24, "max"), Dense(24, 16)]


def recurrent(zoo: Path, folder: Path) -> list[Any]:
    return [words(), LSTM(12, 10, num_layers=2), Pooling(20, "mean")]


def counted(zoo: Path, folder: Path) -> list[Any]:
    return [BoW(WORDS, WEIGHTS, unknown_word_weight=0.5), Dense(len(WORDS), 16)]


def on_bert(zoo: Path, folder: Path) -> list[Any]:
    trunk = Transformer(str(saved(zoo, folder, FAMILIES["bert"], "Model")))
    return [trunk, CNN(32, 8, [1, 3]), Pooling(16, "mean"), Normalize()]


def on_convbert(zoo: Path, folder: Path) -> list[Any]:
    trunk = Transformer(str(saved(zoo, folder, UNKNOWN["convbert"], "Model")))
    modes = ("cls", "max", "weightedmean", "lasttoken")
    return [trunk, CNN(32, 8, [3]), Pooling(8, modes), LayerNorm(32), Dense(32, 16), Normalize()]


def of_layers(zoo: Path, folder: Path) -> list[Any]:
    options = {"output_hidden_states": True}
    trunk = Transformer(str(saved(zoo, folder, UNKNOWN["convbert"], "Model", **options)))
    layers = WeightedLayerPooling(32, num_hidden_layers=3, layer_start=1)
    return [trunk, layers, Pooling(32, "mean_sqrt_len_tokens")]


MADE = [table, weighted, convolved, recurrent, counted, on_bert, on_convbert, of_layers]


def model_of(make: Make, zoo: Path, folder: Path, **options: Any) -> tuple[Any, Path]:
    """A model of the library, and where it is saved."""
    torch.manual_seed(8)
    modules = make(zoo, folder / "trunk")
    model = SentenceTransformer(modules=modules, device="cpu", **options).eval()
    model.save_pretrained(str(folder / "made"), create_model_card=False)
    return model, folder / "made"


@pytest.mark.parametrize("make", MADE)
def test_vectors_equal_the_library(zoo: Path, tmp_path: Path, make: Make) -> None:
    library, folder = model_of(make, zoo, tmp_path)
    expected = np.stack([library.encode(text) for text in TEXTS])
    engine = engine_of(folder)
    assert_close(encode(engine, TEXTS, OutputType.DENSE).dense, expected)
    for text, row in zip(TEXTS, expected, strict=True):
        assert_close(encode(engine, [text], OutputType.DENSE).dense, row[None])


@pytest.mark.parametrize("make", MADE)
def test_reason_names_what_our_engine_lacks(zoo: Path, tmp_path: Path, make: Make) -> None:
    choice = registry.choose(spec_of(model_of(make, zoo, tmp_path)[1]))
    assert "encoder: it has no " in choice.reason
    assert "yet" not in choice.reason


@pytest.mark.parametrize("make", [table, counted])
def test_words_are_counted_and_unknown_ones_left_out(zoo: Path, tmp_path: Path, make: Make) -> None:
    library, folder = model_of(make, zoo, tmp_path)
    result = encode(engine_of(folder), ["stone zebra river", "", "zebra"], OutputType.DENSE)
    assert result.tokens.tolist() == [2, 0, 0]
    expected = np.stack([library.encode(text) for text in ("stone river", "", "")])
    assert_close(result.dense, expected)


@pytest.mark.parametrize("make", [weighted, convolved, recurrent])
def test_text_of_no_words_is_refused_where_the_library_fails(
    zoo: Path, tmp_path: Path, make: Make
) -> None:
    with pytest.raises(InvalidInput, match="no tokens for this model"):
        encode(engine_of(model_of(make, zoo, tmp_path)[1]), ["zebra"], OutputType.DENSE)


def test_prompts_of_words_are_those_of_the_library(zoo: Path, tmp_path: Path) -> None:
    prompts = {"query": "king ", "document": "tablet "}
    library, folder = model_of(table, zoo, tmp_path, prompts=prompts)
    engine = engine_of(folder)
    for role, read in (
        (Role.QUERY, library.encode_query),
        (Role.DOCUMENT, library.encode_document),
    ):
        ours = encode(engine, TEXTS[:2], OutputType.DENSE, role=role)
        assert_close(ours.dense, read(TEXTS[:2]))


def test_ids_of_words_that_there_are_not_fail_alone(zoo: Path, tmp_path: Path) -> None:
    engine = engine_of(model_of(table, zoo, tmp_path)[1])
    items = [Item(token_ids=[1, 2]), Item(token_ids=[99])]
    result = answer(engine, EncodeCall(model="m", items=items))
    assert list(result.errors) == [1]
    assert "ids of this model are 0..8" in result.errors[1].message


def test_token_vectors_after_convolutions_equal_the_library(zoo: Path, tmp_path: Path) -> None:
    source = saved(zoo, tmp_path / "trunk", FAMILIES["bert"], "Model")
    torch.manual_seed(8)
    unit = Normalize("token_embeddings")
    modules = [Transformer(str(source)), CNN(32, 8, [3]), MultiVectorMask(), unit]
    library = MultiVectorEncoder(modules=modules, device="cpu").eval()
    library.save_pretrained(str(tmp_path / "made"), create_model_card=False)
    column = encode(engine_of(tmp_path / "made"), TEXTS, OutputType.MULTIVECTOR).multivector
    assert column is not None
    for text, part in zip(TEXTS, parts(column), strict=True):
        expected = library.encode_document([text], convert_to_numpy=True)[0]
        assert_close(column.values[part], expected)


OTHER = '{"tokenizer_class": "own.Other"}'
BROKEN: list[tuple[Make, str, str, type[StelaeError], str]] = [
    (table, "wordembedding_config.json", "", ModelLoadFailed, "no wordembedding_config"),
    (
        table,
        "wordembedding_config.json",
        '{"tokenizer_class": "own.T"}',
        UnsupportedCheckpoint,
        "'T'",
    ),
    (table, "model.safetensors", "", ModelLoadFailed, "safetensors"),
    (counted, "config.json", '{"vocab": 3}', ModelLoadFailed, "vocab"),
    (counted, "config.json", '{"vocab": ["a"], "odd": 1}', UnsupportedCheckpoint, "'odd'"),
]


@pytest.mark.parametrize(("make", "name", "content", "error", "part"), BROKEN)
def test_broken_folder_is_refused_by_name(
    zoo: Path,
    tmp_path: Path,
    make: Make,
    name: str,
    content: str,
    error: type[StelaeError],
    part: str,
) -> None:
    folder = model_of(make, zoo, tmp_path)[1]
    file = (folder / "0_BoW" if make is counted else folder) / name
    file.write_text(content, "utf-8") if content else file.unlink()
    with pytest.raises(error, match=part):
        spec_of(folder)
