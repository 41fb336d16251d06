from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from stelae.catalog.catalog import Catalog
from stelae.catalog.operations import Dense, Normalize, Pool, Pooling
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.errors import (
    InvalidInput,
    ModelLoadFailed,
    ModelNotFound,
    StelaeError,
    UnsupportedCheckpoint,
)
from stelae.types import OutputType, Similarity

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]


def parts(spec: ModelSpec) -> tuple[object, ...]:
    """The trunk, and the steps to a dense vector."""
    return (spec.backbone, *spec.chain(OutputType.DENSE))


def test_embedded_model_is_what_its_files_say() -> None:
    spec = Catalog().spec("default")
    assert [type(module) for module in parts(spec)] == [Backbone, Pool, Normalize]
    assert parts(spec)[1] == Pool(modes=(Pooling.MEAN,), width=384)
    assert (spec.name, spec.dimensions, spec.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert spec.backbone.architecture == "BertModel"
    assert spec.normalized
    assert not spec.lowercase
    assert spec.prompts == {}


def test_chain_of_modules_is_read_in_order(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-dense")
    assert [type(module) for module in parts(spec)] == [Backbone, Pool, Dense, Normalize]
    assert parts(spec)[2] == Dense(
        folder="2_Dense", inputs=64, outputs=48, bias=True, activation="Tanh",
        weights="model.safetensors",
    )  # fmt: skip
    assert spec.dimensions == 48


def test_prompts_default_and_similarity_are_read(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-dense")
    assert spec.prompts == {"query": "search query: ", "document": "passage: "}
    assert spec.default_prompt == "document"
    assert spec.similarity is Similarity.COSINE


def test_old_and_new_forms_mean_the_same_modules(zoo: Path, read: Read) -> None:
    new = read(zoo / "bert-cls")
    assert [type(module) for module in parts(new)] == [Backbone, Pool, Normalize]
    assert parts(new)[1] == Pool(modes=(Pooling.CLS,), width=64)
    old = read(zoo / "bert-max")
    assert parts(old)[1] == Pool(modes=(Pooling.MAX,), width=64)


def test_several_poolings_keep_the_order_of_the_library(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-concat")
    assert parts(spec)[1] == Pool(
        modes=(Pooling.CLS, Pooling.MAX, Pooling.MEAN, Pooling.MEAN_SQRT_LEN), width=64
    )
    assert spec.dimensions == 4 * 64


def test_pooling_without_any_flag_is_mean(edited: Edit, read: Read) -> None:
    folder = edited("bert-mean", "1_Pooling/config.json", pooling_mode_mean_tokens=False)
    assert parts(read(folder))[1] == Pool(modes=(Pooling.MEAN,), width=64)


def test_pooling_may_leave_the_prompt_out(zoo: Path, read: Read) -> None:
    assert parts(read(zoo / "bert-instruct"))[1] == Pool(
        modes=(Pooling.MEAN,), include_prompt=False, width=64
    )


def test_plain_transformer_gets_mean_pooling_and_a_note(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-plain")
    assert parts(spec)[1:] == (Pool(modes=(Pooling.MEAN,)),)
    assert "modules.json" in spec.notes[0]


def test_plain_causal_transformer_gets_the_last_token(edited: Edit, read: Read) -> None:
    folder = edited("bert-plain", "config.json", architectures=["BertForCausalLM"])
    assert parts(read(folder))[1] == Pool(modes=(Pooling.LAST_TOKEN,))


def test_transformer_may_have_its_own_folder(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-nested")
    assert spec.backbone.folder == "0_Transformer"
    assert spec.tokenizer == "0_Transformer/tokenizer.json"
    assert spec.max_tokens == 96


def test_shards_are_found_through_the_index(zoo: Path, read: Read) -> None:
    assert read(zoo / "bert-sharded").backbone.weights == (
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    )


def test_lower_casing_is_read(zoo: Path, read: Read) -> None:
    assert read(zoo / "bert-lowered").lowercase
    assert not read(zoo / "bert-cased").lowercase


@pytest.mark.parametrize(
    ("file", "changes", "expected"),
    [
        ("sentence_bert_config.json", {"max_seq_length": 77}, 77),
        ("sentence_bert_config.json", {"max_seq_length": 999}, 128),
        ("sentence_bert_config.json", {"max_seq_length": None}, 128),
        ("sentence_bert_config.json", {"tokenizer_args": {"model_max_length": 55}}, 55),
        ("config.json", {"max_position_embeddings": 60}, 60),
    ],
)
def test_longest_input_is_the_smallest_that_is_stated(
    edited: Edit, read: Read, file: str, changes: dict[str, Any], expected: int
) -> None:
    assert read(edited("bert-mean", file, **changes)).max_tokens == expected


def test_without_max_seq_length_the_tokenizer_counts(edited: Edit, read: Read) -> None:
    folder = edited("bert-cls", "tokenizer_config.json", model_max_length=40)
    assert read(folder).max_tokens == 40


def test_unlimited_tokenizer_does_not_count(edited: Edit, read: Read) -> None:
    folder = edited("bert-cls", "tokenizer_config.json", model_max_length=int(1e30))
    assert read(folder).max_tokens == 128


def test_positions_of_roberta_start_after_the_padding_id(edited: Edit, read: Read) -> None:
    edited("bert-mean", "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    edited("bert-mean", "sentence_bert_config.json", max_seq_length=514)
    folder = edited(
        "bert-mean", "config.json", model_type="roberta", pad_token_id=1,
        max_position_embeddings=514,
    )  # fmt: skip
    assert read(folder).max_tokens == 512


def test_entry_may_only_lower_the_longest_input(zoo: Path, read: Read) -> None:
    assert read(zoo / "bert-mean", max_tokens=10).max_tokens == 10
    with pytest.raises(InvalidInput, match=r"max_tokens=129.*1\.\.128"):
        read(zoo / "bert-mean", max_tokens=129)


def test_entry_states_the_matryoshka_widths(zoo: Path, read: Read) -> None:
    assert read(zoo / "bert-matryoshka", matryoshka=(32, 8)).matryoshka == (8, 32)


REFUSED: list[tuple[str, type[StelaeError], str]] = [
    ("broken-module", UnsupportedCheckpoint, "sentence_transformers.models.CLIPModel"),
    ("broken-code", UnsupportedCheckpoint, "modeling.OwnTransformer"),
    ("broken-pooling", UnsupportedCheckpoint, "pooling_mode='attention'"),
    ("broken-option", UnsupportedCheckpoint, "pooling_temperature"),
    ("broken-activation", UnsupportedCheckpoint, "Hardswish"),
    ("broken-dense", ModelLoadFailed, "takes 32 numbers, the module before it gives 64"),
    ("broken-format", UnsupportedCheckpoint, "pytorch_model.bin is not read: it is not a zip"),
    ("broken-pickle", UnsupportedCheckpoint, "'posix.system'"),
    ("broken-tokenizer", UnsupportedCheckpoint, "only spiece.model"),
    ("broken-head", ModelLoadFailed, "bias [1], weight [1, 63]; floats weight [1, 64]"),
    ("broken-head-pickle", UnsupportedCheckpoint, "'posix.system'"),
    ("broken-table", ModelLoadFailed, "has 276 vectors, the tokenizer knows 277 tokens"),
    ("broken-projection", ModelLoadFailed, "lack 'linear.weight'"),
    ("broken-route", UnsupportedCheckpoint, "route 'image'"),
    ("broken-labels", ModelLoadFailed, "labels numbered 0, 2"),
    ("broken-template", UnsupportedCheckpoint, "has Mul"),
    ("broken-index", ModelLoadFailed, "leads out of its folder"),
    ("broken-cut", ModelLoadFailed, "shorter or longer"),
    ("broken-json", ModelLoadFailed, "nested too deeply"),
]


@pytest.mark.parametrize(("name", "error", "part"), REFUSED)
def test_broken_checkpoint_is_refused_by_name(
    zoo: Path, read: Read, name: str, error: type[StelaeError], part: str
) -> None:
    with pytest.raises(error) as caught:
        read(zoo / name)
    assert part in str(caught.value)


CHANGED: list[tuple[str, dict[str, Any], type[StelaeError], str]] = [
    ("sentence_bert_config.json", {"surprise": 1}, UnsupportedCheckpoint, "'surprise'"),
    ("sentence_bert_config.json", {"query_length": 32}, UnsupportedCheckpoint, "query_length"),
    (
        "sentence_bert_config.json",
        {"modality_config": {"message": {}}},
        UnsupportedCheckpoint,
        "modality_config",
    ),
    (
        "sentence_bert_config.json",
        {"model_args": {"rotary_scaling_factor": 2}},
        UnsupportedCheckpoint,
        "rotary_scaling_factor",
    ),
    ("sentence_bert_config.json", {"max_seq_length": "128"}, ModelLoadFailed, "type int"),
    ("sentence_bert_config.json", {"max_seq_length": True}, ModelLoadFailed, "type int"),
    ("sentence_bert_config.json", {"max_seq_length": 0}, ModelLoadFailed, ">= 1"),
    ("config_sentence_transformers.json", {"truncate_dim": 0}, ModelLoadFailed, ">= 1"),
    (
        "config_sentence_transformers.json",
        {"model_type": "SparseEncoder"},
        UnsupportedCheckpoint,
        "SparseEncoder",
    ),
    ("config_sentence_transformers.json", {"default_prompt_name": "x"}, ModelLoadFailed, "'x'"),
    ("config_sentence_transformers.json", {"prompts": {"a": 5}}, ModelLoadFailed, "a text"),
    (
        "config_sentence_transformers.json",
        {"similarity_fn_name": "maxsim"},
        UnsupportedCheckpoint,
        "maxsim",
    ),
    ("1_Pooling/config.json", {"word_embedding_dimension": 63}, ModelLoadFailed, "63 numbers"),
    ("1_Pooling/config.json", {"pooling_mode_mean_tokens": "yes"}, ModelLoadFailed, "'yes'"),
    ("config.json", {"vocab_size": 2**70}, ModelLoadFailed, "number"),
    ("config.json", {"architectures": [7]}, ModelLoadFailed, "class names"),
    ("config.json", {"hidden_size": None}, ModelLoadFailed, ""),
    ("config.json", {"hidden_size": True}, ModelLoadFailed, "hidden_size=True"),
    ("config.json", {"hidden_size": -64}, ModelLoadFailed, "hidden_size=-64"),
    ("adapter_config.json", {"peft_type": "LORA"}, UnsupportedCheckpoint, "LoRA"),
    ("tokenizer_config.json", {"do_lower_case": False}, UnsupportedCheckpoint, "lowercase"),
    ("tokenizer_config.json", {"strip_accents": False}, UnsupportedCheckpoint, "strip_accents"),
    ("tokenizer_config.json", {"cls_token": "<s>"}, UnsupportedCheckpoint, "post_processor"),
    ("tokenizer.json", {"pre_tokenizer": {"type": "Split"}}, UnsupportedCheckpoint, "'Split'"),
    ("tokenizer.json", {"normalizer": None}, UnsupportedCheckpoint, "normalizer type"),
    ("tokenizer.json", {"normalizer": "NFC"}, ModelLoadFailed, "not a tokenizer"),
    ("tokenizer.json", {"post_processor": {"single": [1]}}, UnsupportedCheckpoint, "[None]"),
    ("1_Pooling/config.json", {"pooling_mode": 5}, ModelLoadFailed, "names of modes"),
]


@pytest.mark.parametrize(("file", "changes", "error", "part"), CHANGED)
def test_option_that_is_not_implemented_is_refused_by_name(
    edited: Edit,
    read: Read,
    file: str,
    changes: dict[str, Any],
    error: type[StelaeError],
    part: str,
) -> None:
    folder = edited("bert-mean", file, **changes)
    if changes == {"hidden_size": None}:
        edited("bert-mean", "1_Pooling/config.json", word_embedding_dimension=None)
    with pytest.raises(error) as caught:
        read(folder)
    assert part in str(caught.value)


HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("sentence_bert_config.json", {"unpad_inputs": False}),
    ("sentence_bert_config.json", {"model_args": {"torch_dtype": "float16"}}),
    ("sentence_bert_config.json", {"processing_kwargs": {}}),
    ("config_sentence_transformers.json", {"requirements": {"transformers": ">=5"}}),
    ("1_Pooling/config.json", {"include_prompt": True}),
    ("config.json", {"some_new_option": {"nested": [1, 2]}}),
    ("tokenizer.json", {"post_processor": {"type": "BertProcessing"}}),
    ("tokenizer_config.json", {"cls_token": {"content": "[CLS]", "lstrip": False}}),
]


@pytest.mark.parametrize(("file", "changes"), HARMLESS)
def test_option_without_effect_on_vectors_is_accepted(
    edited: Edit, zoo: Path, read: Read, file: str, changes: dict[str, Any]
) -> None:
    changed = read(edited("bert-mean", file, **changes))
    assert parts(changed)[1:] == parts(read(zoo / "bert-mean"))[1:]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"use_residual": True}, "lacks the tensor 'residual.weight'"),
        ({"module_input_name": "token_embeddings"}, "Dense after Pooling: it reads token vectors"),
        ({"module_input_name": "pixels"}, "module_input_name='pixels'"),
        ({"module_output_name": "token_embeddings"}, "module_output_name='token_embeddings'"),
        ({"activation_function": "os.system"}, "os.system"),
        ({"in_features": "64"}, "type int"),
        ({"out_features": 47}, "shape [48, 64]"),
        ({"bias": False}, "linear.bias"),
        ({"activation_function": "torch.nn.Tanh", "in_features": 32}, "shape [48, 32]"),
    ],
)
def test_dense_layer_is_checked_against_its_weights(
    edited: Edit, read: Read, changes: dict[str, Any], part: str
) -> None:
    folder = edited("bert-dense", "2_Dense/config.json", **changes)
    with pytest.raises(ModelLoadFailed) as caught:
        read(folder)
    assert part in str(caught.value)


def test_dense_layer_without_activation_has_the_one_of_the_library(
    edited: Edit, read: Read
) -> None:
    folder = edited("bert-dense", "2_Dense/config.json", activation_function=None)
    assert isinstance(dense := parts(read(folder))[2], Dense)
    assert dense.activation == "Tanh"


def test_dense_layer_without_weight_or_floats_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("bert-dense", "config.json")
    path = folder / "2_Dense/model.safetensors"
    tensors = load_file(path)
    save_file({"linear.weight": tensors["linear.weight"]}, path)
    with pytest.raises(ModelLoadFailed, match=r"lacks the tensor 'linear\.bias'"):
        read(folder)
    save_file({name: tensor.astype("int32") for name, tensor in tensors.items()}, path)
    with pytest.raises(ModelLoadFailed, match="as I32"):
        read(folder)


def test_normalisation_of_something_else_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("bert-cls", "2_Normalize/config.json", module_input_name="token_embeddings")
    with pytest.raises(UnsupportedCheckpoint, match="Normalize after Pooling: it reads token"):
        read(folder)


def _rows(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    path = folder / "modules.json"
    rows = json.loads(path.read_text("utf-8"))
    change(rows)
    path.write_text(json.dumps(rows), "utf-8")


ROWS: list[tuple[Callable[[list[dict[str, Any]]], None], str]] = [
    (lambda rows: rows.reverse(), "chains Pooling, Transformer"),
    (lambda rows: rows.clear(), "chains nothing"),
    (lambda rows: rows[0].update(kwargs=["task"]), "passes 'task'"),
    (lambda rows: rows[1].update(path="../elsewhere"), "leads out"),
    (lambda rows: rows[1].update(path="/etc"), "leads out"),
    (lambda rows: rows[1].pop("type"), "not a list of modules"),
    (lambda rows: rows[1].update(type="sentence_transformers.models.pooling.Pool"), "Pool'"),
    (lambda rows: rows[1].update(path="9_Nowhere"), "no 9_Nowhere/config.json"),
]


@pytest.mark.parametrize(("change", "part"), ROWS)
def test_wrong_list_of_modules_is_refused(
    edited: Edit, read: Read, change: Callable[[list[dict[str, Any]]], None], part: str
) -> None:
    folder = edited("bert-mean", "config.json")
    _rows(folder, change)
    with pytest.raises(ModelLoadFailed) as caught:
        read(folder)
    assert part in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "modules.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b'"text"', b"\xff\xfe", b"[1, 2]", b"null"])
def test_file_that_is_no_json_object_gives_a_typed_error(
    edited: Edit, read: Read, name: str, content: bytes
) -> None:
    folder = edited("bert-mean", "config.json")
    (folder / name).write_bytes(content)
    with pytest.raises(ModelLoadFailed):
        read(folder)


def test_huge_configuration_file_is_not_read(edited: Edit, read: Read) -> None:
    folder = edited("bert-mean", "config.json")
    with (folder / "config.json").open("r+b") as file:
        file.truncate(50 * 2**20)
    with pytest.raises(ModelLoadFailed, match="larger than"):
        read(folder)


def test_link_out_of_the_checkpoint_is_refused(edited: Edit, read: Read, tmp_path: Path) -> None:
    folder = edited("bert-mean", "config.json")
    outside = tmp_path / "outside.json"
    shutil.move(folder / "1_Pooling/config.json", outside)
    (folder / "1_Pooling/config.json").symlink_to(outside)
    with pytest.raises(ModelLoadFailed, match="leads out"):
        read(folder)


def test_link_in_a_circle_gives_a_typed_error(edited: Edit, read: Read) -> None:
    folder = edited("bert-mean", "config.json")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("config.json")
    with pytest.raises(ModelLoadFailed):
        read(folder)


@pytest.mark.parametrize("name", ["config.json", "1_Pooling/config.json", "added_tokens.json"])
def test_pipe_among_the_files_is_refused_unread(edited: Edit, read: Read, name: str) -> None:
    folder = edited("bert-mean", "config.json")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(ModelLoadFailed, match="a pipe, a device or a socket"):
        read(folder)


def test_link_to_a_device_is_refused_unread(edited: Edit, read: Read) -> None:
    folder = edited("bert-mean", "config.json")
    (folder / "added_tokens.json").symlink_to("/dev/zero")
    with pytest.raises(ModelLoadFailed, match="a pipe, a device or a socket"):
        read(folder)


def test_link_within_the_checkpoint_is_followed(edited: Edit, read: Read) -> None:
    folder = edited("bert-mean", "config.json")
    (folder / "config.json").rename(folder / "the-config.json")
    (folder / "config.json").symlink_to("the-config.json")
    assert read(folder).dimensions == 64


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("config.json", "no config.json"),
        ("model.safetensors", "no model.safetensors"),
        ("1_Pooling/config.json", "pooling is not known"),
    ],
)
def test_missing_file_is_named(edited: Edit, read: Read, name: str, part: str) -> None:
    folder = edited("bert-mean", "config.json")
    (folder / name).unlink()
    with pytest.raises(ModelLoadFailed) as caught:
        read(folder)
    assert part in str(caught.value)


def test_chat_model_without_modules_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("bert-plain", "tokenizer_config.json", chat_template="{{ messages }}")
    with pytest.raises(UnsupportedCheckpoint, match="chat model"):
        read(folder)


@pytest.mark.parametrize("name", ["bert-plain", "cross-encoder"])
def test_settings_without_modules_say_nothing_as_in_the_library(
    edited: Edit, read: Read, name: str
) -> None:
    file = "config_sentence_transformers.json"
    spec = read(edited(name, file, prompts={"query": "q: "}, activation_fn="torch.nn.Sigmoid"))
    assert spec.prompts == {}
    assert "says nothing without modules.json" in spec.notes[-1]


def test_missing_folder_is_not_found(tmp_path: Path, read: Read) -> None:
    with pytest.raises(ModelNotFound, match="no folder"):
        read(tmp_path / "nothing")
