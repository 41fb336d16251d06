"""Vectors of tokens through the engine against ``MultiVectorEncoder``, in all its layouts."""

from __future__ import annotations

import json
import shutil
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_engine import answer
from fix_outputs import (
    FAMILIES,
    LIMIT,
    assert_close,
    encode,
    engine_of,
    parts,
    saved,
    score,
    spec_of,
)
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from tokenizers import Tokenizer
from transformers import JinaEmbeddingsV3Config, JinaEmbeddingsV3Model

from stelae.engines.text.engine import TextEngine
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.types import Item, OutputType, Role, ScoreCall

TEXTS = [
    "a",
    "",
    "The stone tablet of Ur, and (the) other; stone!",
    "a long river " * 60,
    "x " * (LIMIT - 3),
    "naïve 中文 Σ 12.5% [MASK] <mask>",
]
LOCAL: dict[str, Any] = {"device": "cpu", "local_files_only": True}
TOKENS = "token_embeddings"


def assert_equal(folder: Path) -> None:
    """On both sides each text has the library's vectors, one by one; so do late scores."""
    library, engine = MultiVectorEncoder(str(folder), **LOCAL), engine_of(folder)
    made = {Role.QUERY: library.encode_query, Role.DOCUMENT: library.encode_document}
    for role, read in made.items():
        column = encode(engine, TEXTS, OutputType.MULTIVECTOR, role=role).multivector
        assert column is not None
        # One at a time: the library's padding is read as text where it fills queries up.
        expected = [read([text], convert_to_numpy=True)[0] for text in TEXTS]
        for theirs, part in zip(expected, parts(column), strict=True):
            assert_close(column.values[part], theirs)
    documents = [text for text in TEXTS if text]
    query = library.encode_query([TEXTS[2]])
    theirs = library.similarity(query, [library.encode_document([d])[0] for d in documents])
    assert_close(score(engine, TEXTS[2], documents).scores, theirs[0].numpy())


def made(source: Path, folder: Path, skip: dict[str, Any], **reading: Any) -> Path:
    """Save a late-interaction model on a transformer."""
    torch.manual_seed(4)
    trunk = Transformer(str(source), **reading)
    dense = Dense(32, 24, bias=False, module_input_name=TOKENS, activation_function=torch.nn.Tanh())
    modules = [trunk, dense, MultiVectorMask(**skip), Normalize(module_input_name=TOKENS)]
    prompts = {"query": "query: ", "document": "a text: "}
    model = MultiVectorEncoder(modules=modules, prompts=prompts, device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def edited(source: Path, folder: Path, file: str, changes: dict[str, Any]) -> Path:
    """A copy of a checkpoint with other values in one of its files."""
    shutil.copytree(source, folder)
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
    return folder


PUNCTUATION = {"skiplist_words": list(string.punctuation)}
FIXED = {"strategy": "fixed", "length": 24}
FLOOR = {"strategy": "min", "length": 12}

WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {}),
    "cut": (PUNCTUATION, {"query_length": 9, "document_length": 17}),
    "filled": (PUNCTUATION, {"query_expansion": FIXED | {"attend": False}}),
    "filled and seen": ({}, {"query_expansion": FIXED | {"attend": True}}),
    "floor": (
        {"skiplist_words": ["stone", "."], "skiplist_tasks": ["query", "document"]},
        {"query_expansion": FLOOR | {"attend": False}, "query_length": 20},
    ),
    "floor and seen": ({}, {"query_expansion": FLOOR | {"attend": True}}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", ["bert", "modernbert", "xlm-roberta"])
def test_vectors_equal_the_library(zoo: Path, tmp_path: Path, family: str, way: str) -> None:
    source = saved(zoo, tmp_path / "trunk", FAMILIES[family], "Model")
    skip, reading = WAYS[way]
    assert_equal(made(source, tmp_path / "made", skip, **reading))


OTHERS = [
    (family, attend)
    for family in ("distilbert", "roberta", "mpnet", "electra", "albert", "deberta", "nomic")
    for attend in (False, True)
    if (family, attend) != ("deberta", False)
]


@pytest.mark.parametrize(("family", "attend"), OTHERS)
def test_other_trunks_have_the_librarys_vectors(
    zoo: Path, tmp_path: Path, family: str, attend: bool
) -> None:
    source = saved(zoo, tmp_path / "trunk", FAMILIES[family], "Model")
    expansion = FIXED | {"attend": attend}
    assert_equal(made(source, tmp_path / "made", PUNCTUATION, query_expansion=expansion))


def test_deberta_does_not_read_what_others_do_not_see(zoo: Path, tmp_path: Path) -> None:
    """The library has rules of its own for it, which no published checkpoint needs."""
    source = saved(zoo, tmp_path / "trunk", FAMILIES["deberta"], "Model")
    expansion = FIXED | {"attend": False}
    folder = made(source, tmp_path / "made", {}, query_expansion=expansion)
    with pytest.raises(UnsupportedCheckpoint, match="attend=false is not implemented for Deberta"):
        engine_of(folder)


LEFT: list[tuple[str, dict[str, Any]]] = [
    ("tokenizer_config.json", {"padding_side": "left"}),
    ("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizerFast"}),
    ("sentence_bert_config.json", {"processor_kwargs": {"padding_side": "left"}}),
]


@pytest.mark.parametrize(("file", "changes"), LEFT)
def test_filling_on_the_left_is_refused(
    zoo: Path, tmp_path: Path, file: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="on the left"):
        spec_of(edited(zoo / "colbert-native", tmp_path / "model", file, changes))


@pytest.mark.parametrize(("family", "token"), [("bert", "[PAD]"), ("xlm-roberta", "<pad>")])
def test_queries_filled_with_padding_have_the_librarys_vectors(
    zoo: Path, tmp_path: Path, family: str, token: str
) -> None:
    source = saved(zoo, tmp_path / "trunk", FAMILIES[family], "Model")
    expansion = FLOOR | {"attend": True, "token": token}
    assert_equal(made(source, tmp_path / "made", {}, query_expansion=expansion))


SETTINGS = "config_sentence_transformers.json"
EDITS: list[tuple[str, str, dict[str, Any]]] = [
    ("colbert-pylate", SETTINGS, {"attend_to_expansion_tokens": True}),
    ("colbert-pylate", SETTINGS, {"do_query_expansion": False}),
    ("colbert-pylate", SETTINGS, {"skiplist_words": []}),
    ("colbert-pylate", SETTINGS, {"skiplist_words": ["the", ",", "no such"]}),
    ("colbert-pylate", SETTINGS, {"query_length": 9, "document_length": 11}),
    ("colbert-pylate", SETTINGS, {"query_prefix": "ask: ", "document_prefix": "[D] read: "}),
    ("colbert-pylate", SETTINGS, {"prompts": {"query": "please "}}),
    ("modernbert-colbert", SETTINGS, {"attend_to_expansion_tokens": True}),
    ("modernbert-colbert", SETTINGS, {"do_query_expansion": False, "document_length": 40}),
    ("colbert-stanford", "artifact.metadata", {"attend_to_mask_tokens": True}),
    ("colbert-stanford", "artifact.metadata", {"mask_punctuation": False}),
    ("colbert-stanford", "artifact.metadata", {"query_maxlen": 7, "doc_maxlen": 9}),
    ("colbert-xlm", "artifact.metadata", {"attend_to_mask_tokens": False}),
]


@pytest.mark.parametrize(("name", "file", "changes"), EDITS)
def test_options_of_older_layouts_mean_what_they_mean_to_the_library(
    zoo: Path, tmp_path: Path, name: str, file: str, changes: dict[str, Any]
) -> None:
    assert_equal(edited(zoo / name, tmp_path / "model", file, changes))


def vectors(engine: TextEngine, texts: list[str], role: Role) -> list[NDArray[np.float32]]:
    column = encode(engine, texts, OutputType.MULTIVECTOR, role=role).multivector
    assert column is not None
    return list(column)


@pytest.mark.parametrize("given", ["query", "documents", "both"])
def test_vectors_made_before_score_as_their_texts_do(zoo: Path, given: str) -> None:
    engine = engine_of(zoo / "colbert-native")
    query, documents = TEXTS[1], TEXTS[2:5]
    expected = score(engine, query, documents).scores
    made = [Item(multivector=rows) for rows in vectors(engine, documents, Role.DOCUMENT)]
    (asked,) = vectors(engine, [query], Role.QUERY)
    call = ScoreCall(
        model="m",
        query=Item(text=query) if given == "documents" else Item(multivector=asked),
        documents=[Item(text=text) for text in documents] if given == "query" else made,
    )
    result = answer(engine, call)
    assert_close(result.scores, expected)
    assert bool(result.usage.tokens) == (given == "query")


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.ones((2, 3), np.float32), "this model's are"),
        (np.ones((0, 64), np.float32), "this model's are"),
        (np.full((2, 64), np.nan, np.float32), "not finite"),
    ],
)
def test_vectors_that_are_not_the_models_fail_alone(
    zoo: Path, matrix: NDArray[np.float32], said: str
) -> None:
    engine = engine_of(zoo / "colbert-native")
    documents = [Item(text=TEXTS[1]), Item(multivector=matrix)]
    result = answer(engine, ScoreCall(model="m", query=Item(text=TEXTS[2]), documents=documents))
    assert list(result.errors) == [1]
    assert said in result.errors[1].message
    with pytest.raises(InvalidInput, match=said):
        answer(engine, ScoreCall(model="m", query=documents[1], documents=documents))
    pairs = engine_of(zoo / "cross-encoder")
    with pytest.raises(InvalidInput, match="it has multivector"):
        answer(pairs, ScoreCall(model="m", query=documents[1], documents=documents))


@torch.inference_mode()
def by_hand(folder: Path, text: str, role: Role) -> NDArray[np.float32]:
    """Vectors of a checkpoint of Jina's own code, by the library's class for its transformer."""
    trunk, tensors = jina_trunk(folder), load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    facts = json.loads((folder / "artifact.metadata").read_text("utf-8"))
    marker, longest = {
        Role.QUERY: (facts["query_token_id"], facts["query_maxlen"]),
        Role.DOCUMENT: (facts["doc_token_id"], facts["doc_maxlen"]),
    }[role]
    first, last, mask, mark = map(tokenizer.token_to_id, ("<s>", "</s>", "<mask>", marker))
    inner = tokenizer.encode(text, add_special_tokens=False).ids[: longest - 3]
    ids = [first, mark, *inner, last]
    if role is Role.QUERY:
        ids += [mask] * (longest - len(ids))
    states = trunk(input_ids=torch.tensor([ids])).last_hidden_state[0]
    vectors = torch.nn.functional.normalize(states @ tensors["linear.weight"].T, dim=-1).numpy()
    dropped = {tokenizer.token_to_id(c) for c in string.punctuation} - {None}
    keep = [role is Role.QUERY or i not in dropped for i in ids]
    return np.float32(vectors[keep])


def jina_trunk(folder: Path) -> Any:
    """The transformer alone, as the library's class has it."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    angles = {"rope_type": "default", "rope_theta": config.pop("rotary_emb_base")}
    for name in ("architectures", "model_type", "position_embedding_type"):
        del config[name]
    home = folder.parent / "trunk"
    JinaEmbeddingsV3Config(**config, rope_parameters=angles).save_pretrained(home)
    tensors = load_file(folder / "model.safetensors")
    names = {name for name in tensors if name.startswith("roberta.")}
    save_file({n.removeprefix("roberta."): tensors[n] for n in names}, home / "model.safetensors")
    return JinaEmbeddingsV3Model.from_pretrained(home).eval()


@pytest.mark.parametrize("role", [Role.QUERY, Role.DOCUMENT], ids=str)
def test_jina_colbert_equals_its_transformer_and_projection(
    zoo: Path, tmp_path: Path, role: Role
) -> None:
    folder = Path(shutil.copytree(zoo / "colbert-rotary", tmp_path / "model"))
    column = encode(engine_of(folder), TEXTS, OutputType.MULTIVECTOR, role=role).multivector
    assert column is not None
    for text, part in zip(TEXTS, parts(column), strict=True):
        expected = by_hand(folder, text, role)
        assert column.values[part].shape == expected.shape, text
        assert_close(column.values[part], expected)
