from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from stelae.catalog.operations import (
    Dense,
    LateInteraction,
    Marking,
    Normalize,
    SparsePool,
    Terms,
    TopTerms,
)
from stelae.catalog.spec import ModelSpec
from stelae.errors import ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import OutputType, Similarity

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

SETTINGS = "config_sentence_transformers.json"
READING = "sentence_bert_config.json"
MASK = 4


def marking(spec: ModelSpec) -> LateInteraction:
    assert spec.marking is not None
    return spec.marking


def ids_of(folder: Path, words: str) -> tuple[int, ...]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return tuple(sorted(tokenizer.token_to_id(word) for word in words))


@pytest.mark.parametrize("name", ["colbert-pylate", "colbert-stanford"])
def test_markers_are_tokens_and_punctuation_does_not_count(
    zoo: Path, read: Read, name: str
) -> None:
    spec = read(zoo / name)
    assert [type(step) for step in spec.chain(OutputType.MULTIVECTOR)] == [
        Dense, Normalize, LateInteraction,
    ]  # fmt: skip
    late = marking(spec)
    assert (late.query.ids, late.document.ids) == ((277,), (278,))
    assert (late.query.text, late.document.text) == ("", "")
    assert late.query.skip == ()
    assert late.document.skip == ids_of(zoo / name, string.punctuation)
    assert (late.query.expand, late.query.expand_to, late.query.max_tokens) == (MASK, 24, 24)
    assert not late.query.attend_expansion
    assert late.document.expand is None
    assert spec.token_dimensions == 32


def test_longest_text_is_that_of_the_longer_side(zoo: Path, read: Read) -> None:
    assert read(zoo / "colbert-pylate").max_tokens == 64
    assert read(zoo / "colbert-stanford").max_tokens == 80
    assert read(zoo / "colbert-pylate", max_tokens=20).max_tokens == 20


def test_options_of_the_library_itself_are_read(zoo: Path, read: Read) -> None:
    spec = read(zoo / "colbert-native")
    tokenizer = Tokenizer.from_file(str(zoo / "colbert-native/tokenizer.json"))
    skip = tuple(sorted(tokenizer.token_to_id(word) for word in (".", ",", "the")))
    assert marking(spec).query == Marking(
        max_tokens=40, expand=0, expand_to=16, attend_expansion=True, skip=skip
    )
    assert marking(spec).document == Marking(max_tokens=100, skip=skip)
    assert spec.prompts == {"query": "search for: ", "document": "text: "}


PYLATE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"query_length": None}, {"max_tokens": 32, "expand_to": 32}),
    ({"do_query_expansion": False}, {"max_tokens": 24, "expand": None, "expand_to": 0}),
    ({"attend_to_expansion_tokens": True}, {"attend_expansion": True}),
    (
        {"attend_to_expansion_tokens": None, "attend_to_mask_tokens": True},
        {"attend_expansion": True},
    ),
    (
        {"query_expansion": {"strategy": "min", "length": 8}, "query_length": 50},
        {"max_tokens": 50, "expand_to": 8},
    ),
    ({"query_prefix": ""}, {"ids": (), "text": ""}),
    ({"query_prefix": "the stone "}, {"text": " stone "}),
    ({"query_prefix": "Query: "}, {"ids": (), "text": "Query: "}),
    ({"query_length": 1000}, {"max_tokens": 128, "expand_to": 128}),
]


@pytest.mark.parametrize(("changes", "expected"), PYLATE)
def test_options_of_pylate_are_read(
    edited: Edit, read: Read, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    query = marking(read(edited("colbert-pylate", SETTINGS, **changes))).query
    assert {name: getattr(query, name) for name in expected} == expected


def test_transformers_own_options_go_before_those_of_pylate(edited: Edit, read: Read) -> None:
    expansion = {"strategy": "fixed", "length": 12, "attend": True}
    folder = edited("colbert-pylate", READING, query_expansion=expansion, document_length=33)
    late = marking(read(folder))
    assert (late.query.max_tokens, late.query.attend_expansion) == (12, True)
    assert late.document.max_tokens == 33


def test_save_of_pylate_without_a_kind_is_known_by_its_prefixes(edited: Edit, read: Read) -> None:
    folder = edited("colbert-pylate", SETTINGS, model_type=None)
    assert read(folder).outputs == (OutputType.MULTIVECTOR,)


def test_prompt_behind_a_marker_stays_a_prompt(edited: Edit, read: Read) -> None:
    spec = read(edited("colbert-pylate", SETTINGS, prompts={"query": "[Q] find: "}))
    assert marking(spec).query.ids == (277,)
    assert spec.prompts == {"query": "find: "}


def test_no_skip_list_of_pylate_means_punctuation_and_an_empty_one_nothing(
    edited: Edit, read: Read
) -> None:
    folder = edited("colbert-pylate", SETTINGS, skiplist_words=None)
    assert marking(read(folder)).document.skip == ids_of(folder, string.punctuation)
    folder = edited("colbert-pylate", SETTINGS, skiplist_words=[])
    assert marking(read(folder)).document.skip == ()


def test_words_that_are_no_tokens_are_not_skipped(edited: Edit, read: Read) -> None:
    words = ["unheardof", "[UNK]", "a"]
    folder = edited("colbert-native", "2_MultiVectorMask/config.json", skiplist_words=words)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    expected = sorted(tokenizer.token_to_id(word) for word in ("[UNK]", "a"))
    assert list(marking(read(folder)).document.skip) == expected


@pytest.mark.parametrize(
    ("name", "mean"),
    [("maxsim", False), ("MaxSim", False), ("cosine", False), ("meanmaxsim", True)],
)
def test_comparison_of_late_interaction_is_read(
    edited: Edit, read: Read, name: str, mean: bool
) -> None:
    spec = read(edited("colbert-pylate", SETTINGS, similarity_fn_name=name))
    assert (marking(spec).mean, spec.similarity) == (mean, None)


STANFORD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"query_maxlen": None, "doc_maxlen": None}, {"max_tokens": 32}),
    ({"attend_to_mask_tokens": True}, {"attend_expansion": True}),
    ({"query_token_id": None}, {"ids": (277,)}),
    ({"query_token_id": "[unused1]"}, {"ids": (278,)}),
]


@pytest.mark.parametrize(("changes", "expected"), STANFORD)
def test_facts_of_stanfords_file_are_read(
    edited: Edit, read: Read, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    query = marking(read(edited("colbert-stanford", "artifact.metadata", **changes))).query
    assert {name: getattr(query, name) for name in expected} == expected


def test_stanfords_folder_without_its_file_has_its_defaults(edited: Edit, read: Read) -> None:
    folder = edited("colbert-stanford", "config.json")
    (folder / "artifact.metadata").unlink()
    late = marking(read(folder))
    assert (late.query.ids, late.query.max_tokens, late.document.max_tokens) == ((277,), 32, 128)
    assert late.document.skip == ids_of(folder, string.punctuation)


def test_stanfords_layout_may_have_angles_for_positions(zoo: Path, read: Read) -> None:
    spec = read(zoo / "colbert-rotary")
    assert spec.backbone.architecture == "JinaEmbeddingsV3Model"
    assert spec.backbone.config["rope_theta"] == 10000.0  # type: ignore[union-attr]
    assert (spec.token_dimensions, marking(spec).query.attend_expansion) == (32, True)


def test_stanfords_transformer_lies_under_a_prefix(zoo: Path, read: Read) -> None:
    spec = read(zoo / "colbert-stanford")
    assert (spec.backbone.architecture, spec.backbone.prefix) == ("BertModel", "bert.")  # type: ignore[union-attr]


REFUSED: list[tuple[str, str, dict[str, Any], type[StelaeError], str]] = [
    ("colbert-pylate", SETTINGS, {"surprise": 1}, UnsupportedCheckpoint, "surprise"),
    ("colbert-pylate", SETTINGS, {"similarity_fn_name": "l7"}, UnsupportedCheckpoint, "'l7'"),
    ("colbert-pylate", SETTINGS, {"query_length": "32"}, ModelLoadFailed, "type int"),
    ("colbert-pylate", SETTINGS, {"query_expansion": {"length": 5}}, ModelLoadFailed, "'strategy'"),
    (
        "colbert-pylate", SETTINGS, {"query_expansion": {"strategy": "max", "length": 5}},
        UnsupportedCheckpoint, "strategy='max'",
    ),
    (
        "colbert-pylate", SETTINGS, {"query_expansion": {"strategy": "min", "colour": 5}},
        UnsupportedCheckpoint, "colour",
    ),
    (
        "colbert-native", READING, {"query_length": 8},
        ModelLoadFailed, "reads 8 tokens of a query and fills it up to 16",
    ),
    (
        "colbert-native", READING,
        {"query_expansion": {"strategy": "fixed", "length": 30, "token": "nothing"}},
        UnsupportedCheckpoint, "'nothing'",
    ),
    (
        "colbert-native", "2_MultiVectorMask/config.json", {"keep_only_token_ids": [5]},
        UnsupportedCheckpoint, "keep_only_token_ids",
    ),
    (
        "colbert-native", "2_MultiVectorMask/config.json", {"skiplist_tasks": ["image"]},
        ModelLoadFailed, "image",
    ),
    (
        "colbert-native", "1_Dense/config.json",
        {"module_input_name": "sentence_embedding", "module_output_name": None},
        UnsupportedCheckpoint, "Dense after Transformer: it reads one vector",
    ),
    ("colbert-stanford", "artifact.metadata", {"similarity": "l2"}, UnsupportedCheckpoint, "'l2'"),
    ("colbert-stanford", "artifact.metadata", {"dim": 128}, UnsupportedCheckpoint, "dim=128"),
    ("colbert-stanford", "config.json", {"model_type": "xlnet"}, UnsupportedCheckpoint, "'xlnet'"),
    (
        "colbert-stanford", "config.json", {"position_embedding_type": "rotary"},
        UnsupportedCheckpoint, "model_type 'bert' and position_embedding_type='rotary'",
    ),
    (
        "colbert-rotary", "config.json", {"rotary_emb_base": None},
        ModelLoadFailed, "lacks the option 'rotary_emb_base'",
    ),
    (
        "colbert-rotary", "config.json", {"lora_adaptations": ["retrieval.query"]},
        UnsupportedCheckpoint, "lora_adaptations",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "changes", "error", "part"), REFUSED)
def test_wrong_option_is_refused_by_name(
    edited: Edit,
    read: Read,
    name: str,
    file: str,
    changes: dict[str, Any],
    error: type[StelaeError],
    part: str,
) -> None:
    with pytest.raises(error) as caught:
        read(edited(name, file, **changes))
    assert part in str(caught.value)


def test_query_length_of_a_dense_model_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("bert-mean", READING, document_length=32)
    with pytest.raises(UnsupportedCheckpoint, match=r"document_length=32.*SentenceTransformer"):
        read(folder)


def test_tensors_of_two_models_beside_a_projection_are_refused(edited: Edit, read: Read) -> None:
    folder = edited("colbert-stanford", "config.json")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["linear.bias"] = tensors["linear.weight"][0]
    save_file(tensors, path)
    with pytest.raises(ModelLoadFailed, match="bert, linear"):
        read(folder)


@pytest.mark.parametrize("factor", [1, 2])
def test_pooling_of_tokens_is_read_where_it_does_nothing(
    edited: Edit, read: Read, factor: int
) -> None:
    folder = edited("colbert-native", "4_Pool/config.json", pool_factor=factor, tasks=["document"])
    home = "sentence_transformers.multi_vector_encoder.modules.token_pooling"
    rows = json.loads((folder / "modules.json").read_text("utf-8"))
    rows.append(
        {"type": f"{home}.HierarchicalTokenPooling", "path": "4_Pool", "idx": 4, "name": "4"}
    )
    (folder / "modules.json").write_text(json.dumps(rows))
    if factor == 1:
        assert read(folder).outputs == (OutputType.MULTIVECTOR,)
        return
    with pytest.raises(UnsupportedCheckpoint, match="pool_factor=2"):
        read(folder)


def test_heads_of_bge_m3_stand_beside_its_dense_vector(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bge-m3")
    assert spec.outputs == tuple(OutputType)
    late = marking(spec)
    assert late.query == late.document == Marking(max_tokens=128, skip_first=1)
    assert late.mean
    assert (spec.dimensions, spec.token_dimensions) == (64, 64)


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("sparse_linear.pt", (OutputType.DENSE, OutputType.MULTIVECTOR)),
        ("colbert_linear.pt", (OutputType.DENSE, OutputType.SPARSE)),
    ],
)
def test_one_of_the_heads_is_enough(
    edited: Edit, read: Read, name: str, outputs: tuple[OutputType, ...]
) -> None:
    folder = edited("bge-m3", "config.json")
    (folder / name).unlink()
    assert read(folder).outputs == outputs


def test_splade_is_read_in_old_and_new_form(zoo: Path, read: Read) -> None:
    old, new = read(zoo / "splade"), read(zoo / "splade-sum")
    assert old.chain(OutputType.SPARSE) == (SparsePool(),)
    assert new.chain(OutputType.SPARSE) == (SparsePool(pooling=Terms.SUM, activation="log1p_relu"),)
    assert old.similarity is Similarity.DOT
    assert (old.dimensions, old.max_tokens) == (0, 96)


SPARSE: list[tuple[str, str, dict[str, Any], type[StelaeError], str]] = [
    (
        "splade", "1_SpladePooling/config.json", {"pooling_strategy": "min"},
        UnsupportedCheckpoint, "'min'",
    ),
    (
        "splade", "1_SpladePooling/config.json", {"activation_function": "gelu"},
        UnsupportedCheckpoint, "'gelu'",
    ),
    (
        "splade", "config.json", {"architectures": ["BertModel"]},
        UnsupportedCheckpoint, "no head for fill",
    ),
    ("splade", SETTINGS, {"similarity_fn_name": "cosine"}, UnsupportedCheckpoint, "'cosine'"),
    (
        "splade", SETTINGS, {"model_type": "SentenceTransformer"},
        UnsupportedCheckpoint, "ends with weights of terms",
    ),
    (
        "splade-inference-free", "query_0_SparseStaticEmbedding/config.json", {"path": "idf.json"},
        UnsupportedCheckpoint, "'path'",
    ),
    ("sparse-features", "2_SparseAutoEncoder/config.json", {"k": 999}, ModelLoadFailed, "k=999"),
    (
        "sparse-features", "2_SparseAutoEncoder/config.json", {"input_dim": 32},
        ModelLoadFailed, "shape [32]",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "changes", "error", "part"), SPARSE)
def test_wrong_option_of_a_sparse_model_is_refused_by_name(
    edited: Edit,
    read: Read,
    name: str,
    file: str,
    changes: dict[str, Any],
    error: type[StelaeError],
    part: str,
) -> None:
    with pytest.raises(error) as caught:
        read(edited(name, file, **changes))
    assert part in str(caught.value)


def test_fewer_weights_than_terms_are_refused(edited: Edit, read: Read) -> None:
    folder = edited("splade-inference-free", SETTINGS)
    path = folder / "query_0_SparseStaticEmbedding/model.safetensors"
    save_file({"weight": load_file(path)["weight"][:-1]}, path)
    with pytest.raises(ModelLoadFailed, match="weights of 276 terms"):
        read(folder)


def test_learned_features_are_found_under_either_name(edited: Edit, read: Read) -> None:
    folder = edited("sparse-features", SETTINGS)
    path = folder / "2_SparseAutoEncoder/model.safetensors"
    tensors = load_file(path)
    tensors["encoder.weight"] = tensors.pop("decoder.linear.weight")
    save_file(tensors, path)
    terms = read(folder).chain(OutputType.SPARSE)[-1]
    assert terms == TopTerms(
        folder="2_SparseAutoEncoder", inputs=64, outputs=256, keep=16, standardize=True,
        weights="model.safetensors",
    )  # fmt: skip


def test_plain_masked_model_is_not_taken_for_a_sparse_one(edited: Edit, read: Read) -> None:
    folder = edited("splade", "config.json")
    for name in ("modules.json", SETTINGS):
        (folder / name).unlink()
    spec = read(folder)
    assert spec.outputs == (OutputType.DENSE,)
    assert "mean pooling" in spec.notes[0]
