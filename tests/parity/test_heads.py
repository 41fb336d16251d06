"""Every layout of heads against the library that made it, on every side of a search."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_engine import answer
from numpy.typing import NDArray
from safetensors.numpy import load_file
from sentence_transformers import MultiVectorEncoder, SentenceTransformer, SparseEncoder
from tiny.files import write_json, write_tensors
from tiny.heads import MORE
from tiny.layout import pooling_flags, write_modules
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.references.choice import load_reference
from stelae.engines.text.engine import TextEngine
from stelae.types import ComputeDtype, EncodeCall, Item, OutputType, Role, ScoreCall

Vector = NDArray[np.float32]

TEXTS = [
    "a",
    "The stone tablet of Ur.",
    "Hello, world! " * 3,
    "x " * 200,
    "the, . of; city [MASK]",
    "Who made the first clay tablet, and where would he have found the water?",
    "naïve 中文 Σ 12.5%",
]
OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)


@cache
def spec_of(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")


@cache
def engine_of(folder: Path) -> TextEngine:
    return load(spec_of(folder), OPTIONS)


def encode(folder: Path, output: OutputType, role: Role | None, texts: list[str]) -> Any:
    items = [Item(text=text) for text in texts]
    call = EncodeCall(model="m", items=items, outputs=(output,), role=role)
    result = answer(engine_of(folder), call)
    assert result.errors == {}
    return result


def parts(column: Any) -> Iterator[slice]:
    """Where each text's share of a column lies."""
    for start, stop in zip(column.offsets[:-1], column.offsets[1:], strict=True):
        yield slice(start, stop)


def close(ours: Vector, theirs: Vector) -> None:
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


ROLES = (None, Role.QUERY, Role.DOCUMENT)


@pytest.mark.parametrize("role", ROLES, ids=str)
@pytest.mark.parametrize("name", ["static", "bert-layers", "bert-asym"])
def test_dense_vectors_are_those_of_the_library(zoo: Path, name: str, role: Role | None) -> None:
    reference = load_reference(spec_of(zoo / name), OutputType.DENSE)
    rows = encode(zoo / name, OutputType.DENSE, role, TEXTS).dense
    for text, row in zip(TEXTS, rows, strict=True):
        expected = reference.encode(text, role).value
        assert isinstance(expected, np.ndarray)
        close(row, expected)


def test_layers_of_a_transformer_that_counts_them_otherwise_are_weighed(
    zoo: Path, tmp_path: Path
) -> None:
    """T5 says ``num_layers``."""
    folder = shutil.copytree(zoo / "sentence-t5", tmp_path / "t5-layers")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    layers, width = config["num_layers"], config["d_model"]
    write_json(folder / "config.json", config | {"output_hidden_states": True})
    write_modules(folder, ["Transformer", "WeightedLayerPooling", "Pooling"], names=MORE)
    choice = {"word_embedding_dimension": width, "layer_start": 1, "num_hidden_layers": layers}
    write_json(folder / "1_WeightedLayerPooling/config.json", choice)
    weights = np.arange(1, layers + 1, dtype=np.float32)
    write_tensors(folder / "1_WeightedLayerPooling/model.safetensors", {"layer_weights": weights})
    write_json(folder / "2_Pooling/config.json", pooling_flags(width, "mean"))
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    close(encode(folder, OutputType.DENSE, None, TEXTS).dense, expected)


def test_weights_in_files_of_torch_make_the_same_vectors(zoo: Path) -> None:
    expected = SentenceTransformer(str(zoo / "bert-torch"), device="cpu").encode(TEXTS)
    close(encode(zoo / "bert-torch", OutputType.DENSE, None, TEXTS).dense, expected)


SPARSE = ["splade", "splade-sum", "splade-inference-free", "sparse-features"]


@pytest.mark.parametrize("role", ROLES, ids=str)
@pytest.mark.parametrize("name", SPARSE)
def test_term_weights_are_those_of_the_library(zoo: Path, name: str, role: Role | None) -> None:
    reference = load_reference(spec_of(zoo / name), OutputType.SPARSE)
    column = encode(zoo / name, OutputType.SPARSE, role, TEXTS).sparse
    for text, part in zip(TEXTS, parts(column), strict=True):
        expected = reference.encode(text, role).value
        assert isinstance(expected, tuple)
        terms, weights = expected
        assert len(terms)
        np.testing.assert_array_equal(column.indices[part], terms)
        close(column.values[part], weights)


LATE = [
    "colbert-pylate",
    "colbert-stanford",
    "colbert-xlm",
    "colbert-native",
    "modernbert-colbert",
]


@pytest.mark.parametrize("role", [Role.QUERY, Role.DOCUMENT], ids=str)
@pytest.mark.parametrize("name", LATE)
def test_token_vectors_are_those_of_the_library(zoo: Path, name: str, role: Role) -> None:
    reference = load_reference(spec_of(zoo / name), OutputType.MULTIVECTOR)
    column = encode(zoo / name, OutputType.MULTIVECTOR, role, TEXTS).multivector
    for text, part in zip(TEXTS, parts(column), strict=True):
        expected = reference.encode(text, role).value
        assert isinstance(expected, np.ndarray)
        assert column.values[part].shape == expected.shape, text
        close(column.values[part], expected)


@pytest.mark.parametrize("plain", [False, True], ids=["scores", "logits"])
@pytest.mark.parametrize("name", ["cross-encoder", "cross-encoder-labels", "qwen3-reranker"])
def test_scores_are_those_of_the_library(zoo: Path, name: str, plain: bool) -> None:
    reference = load_reference(spec_of(zoo / name), None)
    for query in TEXTS[:3]:
        call = ScoreCall(
            model="m",
            query=Item(text=query),
            documents=[Item(text=text) for text in TEXTS],
            normalize=False if plain else None,
        )
        scores = answer(engine_of(zoo / name), call).scores
        for text, score in zip(TEXTS, scores, strict=True):
            expected = reference.score(query, text, plain=plain).value
            assert isinstance(expected, np.ndarray)
            close(np.atleast_1d(score), expected)


@pytest.mark.parametrize("name", ["maxsim", "meanmaxsim"])
def test_late_interaction_is_compared_as_the_library_does(
    zoo: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(zoo / "colbert-native", folder)
    file = folder / "config_sentence_transformers.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"similarity_fn_name": name}))
    library = MultiVectorEncoder(str(folder), device="cpu")
    documents = library.encode_document(TEXTS)
    for query in TEXTS[:3]:
        items = [Item(text=text) for text in TEXTS]
        call = ScoreCall(model="m", query=Item(text=query), documents=items)
        expected = library.similarity(library.encode_query([query]), documents)[0]
        close(answer(engine_of(folder), call).scores, expected.numpy())


@pytest.mark.parametrize("name", ["splade", "splade-inference-free", "sparse-features"])
def test_terms_are_compared_as_the_library_does(zoo: Path, name: str) -> None:
    library, plain = (
        SparseEncoder(str(zoo / name), device="cpu"),
        {"convert_to_sparse_tensor": False},
    )
    documents = library.encode_document(TEXTS, **plain)
    for query in TEXTS[:3]:
        items = [Item(text=text) for text in TEXTS]
        call = ScoreCall(model="m", query=Item(text=query), documents=items)
        expected = library.similarity(library.encode_query([query], **plain), documents)[0]
        assert expected.any()
        close(answer(engine_of(zoo / name), call).scores, expected.numpy())


def test_heads_of_bge_m3_follow_their_paper(zoo: Path) -> None:
    """No library at hand reads them: the formulas, on the reference's token vectors."""
    folder = zoo / "bge-m3"
    sparse, late = (torch.load(folder / f"{n}_linear.pt", weights_only=True) for n in HEADS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    trunk = AutoModel.from_pretrained(folder).eval()
    items = [Item(text=text) for text in TEXTS]
    outputs = (OutputType.DENSE, OutputType.SPARSE, OutputType.MULTIVECTOR)
    result = answer(engine_of(folder), EncodeCall(model="m", items=items, outputs=outputs))
    zeros = 0
    for i, text in enumerate(TEXTS):
        read = tokenizer(text, truncation=True, max_length=128, return_tensors="pt")
        with torch.inference_mode():
            states = trunk(**read).last_hidden_state[0]
            vectors = states[1:] @ late["weight"].T + late["bias"]
            weights = torch.relu(states @ sparse["weight"].T + sparse["bias"])[:, 0]
        unit = torch.nn.functional.normalize
        close(result.dense[i], unit(states[0], dim=0).numpy())
        multi = result.multivector
        close(multi.values[list(parts(multi))[i]], unit(vectors, dim=1).numpy())
        expected: dict[int, float] = {}
        for token, weight in zip(read.input_ids[0].tolist(), weights.tolist(), strict=True):
            if token not in tokenizer.all_special_ids or token == tokenizer.mask_token_id:
                expected[token] = max(expected.get(token, 0.0), weight)
        terms = {token: weight for token, weight in sorted(expected.items()) if weight > 0}
        assert terms
        part = list(parts(result.sparse))[i]
        assert result.sparse.indices[part].tolist() == list(terms)
        close(result.sparse.values[part], np.array(list(terms.values()), np.float32))
        zeros += len(expected) - len(terms)
    assert zeros  # some weights are not positive


HEADS = ("sparse", "colbert")


def test_model2vec_is_a_weighted_mean_over_shared_rows(zoo: Path) -> None:
    folder = zoo / "model2vec"
    tensors = load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    unknown = tokenizer.token_to_id("[UNK]")
    rows = encode(folder, OutputType.DENSE, None, [*TEXTS, "", "☃"]).dense
    for text, row in zip([*TEXTS, "", "☃"], rows, strict=True):
        ids = [i for i in tokenizer.encode(text, add_special_tokens=False).ids if i != unknown]
        mean = np.zeros(48, np.float32)
        if ids:
            table = tensors["embeddings"][tensors["mapping"][ids]]
            mean = (table * tensors["weights"][ids, None]).mean(axis=0)
        close(row, mean / (np.linalg.norm(mean) + 1e-32))
