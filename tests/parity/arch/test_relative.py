"""Encoders with numbers for distances against the reference library: tiny random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from fix_arch import agree, assert_same, backbone_of, reference_of, texts_of
from fix_kernels import kernels, none
from fix_relative import LONG, T5, mt5, t5, umt5
from safetensors.torch import load_file

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import backbone_class
from stelae.nn.batch import pack

CASES = [
    ("T5EncoderModel", t5()),
    *(
        ("T5EncoderModel", t5(feed_forward_proj=kind))
        for kind in ("gated-gelu", "gated-silu", "gelu", "gated-gelu_new", "silu")
    ),
    ("T5EncoderModel", t5(relative_attention_num_buckets=8, relative_attention_max_distance=20)),
    ("T5EncoderModel", t5(d_kv=12, num_heads=3, layer_norm_epsilon=1e-3)),
    ("T5Model", t5(tie_word_embeddings=False)),
    ("T5ForConditionalGeneration", t5(feed_forward_proj="gated-gelu", num_decoder_layers=1)),
    ("MT5EncoderModel", mt5()),
    ("MT5Model", mt5(feed_forward_proj="relu")),
    ("MT5ForConditionalGeneration", mt5()),
    ("UMT5EncoderModel", umt5()),
    ("UMT5Model", umt5(relative_attention_num_buckets=16)),
    ("UMT5ForConditionalGeneration", umt5()),
]
"""Architecture and configuration; corners of a family are lines of their own."""


@pytest.mark.parametrize(("name", "config"), CASES)
def test_token_vectors_equal_the_reference(name: str, config: Any) -> None:
    agree(name, config, getattr(transformers, name), LONG, trunk="encoder")


@pytest.mark.parametrize(
    ("name", "config"), [("T5EncoderModel", t5()), ("UMT5EncoderModel", umt5())]
)
def test_token_vectors_equal_the_reference_without_a_compiler(name: str, config: Any) -> None:
    with kernels(none):
        agree(name, config, getattr(transformers, name), LONG, trunk="encoder")


@pytest.mark.parametrize(
    ("name", "config"), [("T5EncoderModel", t5()), ("UMT5EncoderModel", umt5())]
)
def test_every_layer_equals_the_reference(name: str, config: Any) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict())
    text = texts_of((150,))[0]
    with torch.inference_mode():
        row = torch.from_numpy(text).long()[None]
        expected = theirs(input_ids=row, output_hidden_states=True).hidden_states
        assert_same(list(ours.states(pack([text]))), [state[0] for state in expected])


@pytest.mark.parametrize("kept", ["shared.weight", "encoder.embed_tokens.weight"])
def test_words_are_found_under_either_of_their_names(kept: str) -> None:
    tensors = reference_of(transformers.T5EncoderModel, t5()).state_dict()
    names = {"shared.weight", "encoder.embed_tokens.weight"}
    once = {name: tensor for name, tensor in tensors.items() if name not in names - {kept}}
    ours = backbone_of("T5EncoderModel", t5().to_dict(), once)
    assert torch.equal(ours.words.weight, tensors["shared.weight"])


@pytest.mark.parametrize("backwards", [False, True])
def test_words_of_the_encoder_alone_count_before_those_that_are_shared(
    tmp_path: Path, backwards: bool
) -> None:
    saved = reference_of(transformers.T5EncoderModel, t5())
    own = {"encoder.embed_tokens.weight": 2 * saved.shared.weight}
    saved.save_pretrained(tmp_path, state_dict=saved.state_dict() | own)
    loaded = transformers.T5EncoderModel.from_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert len({"shared.weight", *own} & tensors.keys()) == 2
    items = list(tensors.items())[:: -1 if backwards else 1]
    ours = backbone_of("T5EncoderModel", t5().to_dict(), dict(items))
    assert torch.equal(ours.words.weight, loaded.encoder.embed_tokens.weight)
    assert torch.equal(ours.words.weight, own["encoder.embed_tokens.weight"])


def test_an_activation_that_is_stated_counts_before_the_name_of_the_block() -> None:
    stated = {"feed_forward_proj": "gated-gelu", "dense_act_fn": "silu", "is_gated_act": False}
    config = transformers.T5Config.from_dict(T5 | stated)
    assert (config.dense_act_fn, config.is_gated_act) == ("silu", False)
    agree("T5EncoderModel", config, transformers.T5EncoderModel, trunk="encoder")


@pytest.mark.parametrize("kind", ["relu", "gelu", "gated-gelu", "gated-silu"])
def test_files_that_state_the_block_by_its_name_alone_mean_the_same(kind: str) -> None:
    config = t5(feed_forward_proj=kind)
    tensors = reference_of(transformers.T5EncoderModel, config).state_dict()
    full = config.to_dict()
    named = {k: v for k, v in full.items() if k not in {"dense_act_fn", "is_gated_act"}}
    one, other = (backbone_of("T5EncoderModel", options, tensors) for options in (full, named))
    batch = pack(texts_of())
    with torch.inference_mode():
        assert torch.equal(one(batch), other(batch))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dense_act_fn": "mish"}, "dense_act_fn='mish'"),
        ({"feed_forward_proj": "gated-mish"}, "feed_forward_proj='mish'"),
        ({"is_decoder": True}, "is_decoder"),
        ({"relative_attention_num_buckets": 6}, "relative_attention_num_buckets"),
        ({"relative_attention_max_distance": 8}, "relative_attention_max_distance"),
    ],
)
def test_options_that_are_not_implemented_are_refused_by_name(
    options: dict[str, Any], named: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=named):
        backbone_class("T5EncoderModel").from_config(T5 | options)
