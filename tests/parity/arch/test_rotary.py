"""Rotary bidirectional encoders and their heads against the reference library."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from fix_arch import agree, assert_same, backbone_of, reference_of, rows_of, texts_of
from fix_heads import classes_agree, logits_of, masked_words, masked_words_agree, saved
from fix_relative import LONG, eurobert, jina, modernbert, nomic
from torch import Tensor

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import backbone_class
from stelae.nn.batch import pack
from stelae.nn.layers.rotary import rotate
from stelae.nn.rotary_postnorm import RotaryEncoder

YARN = {
    "rope_type": "yarn",
    "rope_theta": 500.0,
    "factor": 4.0,
    "original_max_position_embeddings": 40,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1000.0, "factor": 2.0}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 12,
}
CASES = [
    ("JinaEmbeddingsV3Model", jina()),
    ("JinaEmbeddingsV3Model", jina(hidden_act="relu", type_vocab_size=2, layer_norm_eps=1e-3)),
    ("JinaEmbeddingsV3Model", jina(rope_parameters=YARN)),
    ("JinaEmbeddingsV3ForMaskedLM", jina()),
    ("JinaEmbeddingsV3ForSequenceClassification", jina()),
    ("NomicBertForMaskedLM", nomic()),
    ("NomicBertForSequenceClassification", nomic()),
    ("NomicBertModel", nomic(rope_parameters=DYNAMIC, max_position_embeddings=64)),
    ("EuroBertForMaskedLM", eurobert()),
    ("EuroBertModel", eurobert(rope_parameters=LLAMA3)),
    ("NomicBertModel", nomic()),
    ("NomicBertModel", nomic(hidden_act="gelu", layer_norm_eps=1e-3, type_vocab_size=1)),
    ("NomicBertModel", nomic(rope_parameters={"rope_type": "default", "rope_theta": 50.0})),
    ("NomicBertModel", nomic(head_dim=16)),
    ("ModernBertModel", modernbert()),
    ("ModernBertModel", modernbert(local_attention=13, global_attn_every_n_layers=2)),
    ("ModernBertModel", modernbert(norm_bias=True, attention_bias=True, mlp_bias=True)),
    ("ModernBertModel", modernbert(hidden_activation="silu", norm_eps=1e-3)),
    ("ModernBertModel", modernbert(global_rope_theta=500.0, local_rope_theta=50.0)),
    ("ModernBertForMaskedLM", modernbert()),
    ("ModernBertForSequenceClassification", modernbert()),
    ("EuroBertModel", eurobert()),
    ("EuroBertModel", eurobert(num_key_value_heads=2, head_dim=16, attention_bias=True)),
    ("EuroBertModel", eurobert(rope_parameters={"rope_type": "default", "rope_theta": 90.0})),
    ("EuroBertForSequenceClassification", eurobert(mlp_bias=True)),
]
"""Architecture and configuration; corners of a family are lines of their own."""


@pytest.mark.parametrize(("name", "config"), CASES)
def test_token_vectors_equal_the_reference(name: str, config: Any) -> None:
    agree(name, config, getattr(transformers, name), LONG)


PUBLISHED = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "intermediate_size": "n_inner",
    "max_position_embeddings": "max_trained_positions",
    "layer_norm_eps": "layer_norm_epsilon",
}
"""Names of options in the first checkpoints of NomicBERT."""


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (nomic(), {"activation_function": "swiglu", "n_positions": 8192}),
        (nomic(hidden_act="gelu"), {"activation_function": "geglu", "mlp_fc1_bias": False}),
        (
            nomic(rope_parameters=DYNAMIC, max_position_embeddings=64),
            {"activation_function": "swiglu", "rotary_scaling_factor": 2, "rotary_emb_fraction": 1},
        ),
    ],
)
def test_nomic_checkpoints_as_published_equal_the_reference(
    config: Any, published: dict[str, Any]
) -> None:
    theirs = reference_of(transformers.NomicBertModel, config)
    tensors = {named_at_first(name): tensor for name, tensor in theirs.state_dict().items()}
    for layer in range(config.num_hidden_layers):
        parts = [tensors.pop(f"encoder.layers.{layer}.self_attn.{n}_proj.weight") for n in "qkv"]
        tensors[f"encoder.layers.{layer}.attn.Wqkv.weight"] = torch.cat(parts)
    options = {PUBLISHED.get(name, name): value for name, value in config.to_dict().items()}
    options |= {"rotary_emb_base": 1000, **published}
    for name in ("hidden_act", "rope_parameters", "head_dim"):
        del options[name]
    ours, batch = backbone_of("NomicBertModel", options, tensors), pack(texts_of(LONG))
    with torch.inference_mode():
        expected = [
            theirs(input_ids=torch.from_numpy(ids).long()[None]).last_hidden_state[0]
            for ids in texts_of(LONG)
        ]
        assert_same(rows_of(ours(batch), batch), expected)


def named_at_first(name: str) -> str:
    """A tensor's name in the first checkpoints."""
    for now, then in (
        ("embeddings.LayerNorm", "emb_ln"),
        ("layers.", "encoder.layers."),
        ("self_attn.o_proj", "attn.out_proj"),
        ("post_attention_layernorm", "norm1"),
        ("post_mlp_layernorm", "norm2"),
        ("up_proj", "fc11"),
        ("gate_proj", "fc12"),
        ("down_proj", "fc2"),
    ):
        name = name.replace(now, then)
    return name


def test_nomic_checkpoints_without_gate_equal_the_reference() -> None:
    """Their blocks are those of Jina Embeddings 3, which the library knows."""
    config = jina(rope_parameters={"rope_type": "default", "rope_theta": 1000.0})
    theirs = reference_of(transformers.JinaEmbeddingsV3Model, config)
    tensors = {
        named_at_first(name): tensor
        for name, tensor in theirs.state_dict().items()
        if "pooler" not in name
    }
    options = {PUBLISHED.get(name, name): value for name, value in config.to_dict().items()}
    options |= {"activation_function": "gelu", "mlp_fc1_bias": True, "mlp_fc2_bias": True}
    options |= {"qkv_proj_bias": True, "rotary_emb_base": 1000}
    ours, batch = backbone_of("NomicBertModel", options, tensors), pack(texts_of(LONG))
    with torch.inference_mode():
        expected = [
            theirs(input_ids=torch.from_numpy(ids).long()[None]).last_hidden_state[0]
            for ids in texts_of(LONG)
        ]
        assert_same(rows_of(ours(batch), batch), expected)


def test_nomic_before_fine_tuning_as_published_equals_the_reference() -> None:
    """There the head for masked words has no biases."""
    theirs = reference_of(transformers.NomicBertForMaskedLM, nomic())
    with torch.no_grad():
        theirs.cls.predictions.transform.dense.bias.zero_()
        theirs.cls.predictions.bias.zero_()
    tensors = {
        name.replace("nomic_bert.", "bert."): tensor
        for name, tensor in saved(theirs).items()
        if not name.endswith(("predictions.bias", "transform.dense.bias"))
    }
    texts = texts_of(LONG)
    options = nomic(mlp_fc1_bias=False, activation_function="swiglu")
    batch = pack(texts)
    ours = masked_words("NomicBertForPreTraining", options, tensors, batch)
    assert_same(rows_of(ours, batch), [logits[0] for logits in logits_of(theirs, texts)])


def turned_in_part(x: Tensor, cos: Tensor, sin: Tensor, width: int, *, interleaved: bool) -> Tensor:
    """The first numbers of each head turned pair by pair, as complex numbers.

    Source: Su et al. 2021 (arXiv:2104.09864), equation 34.
    """
    head = x[..., :width]
    halves = torch.stack(head.chunk(2, dim=-1), dim=-1)
    pairs = torch.stack((head[..., ::2], head[..., 1::2]), dim=-1) if interleaved else halves
    turned = torch.view_as_complex(pairs.contiguous()) * torch.complex(cos, sin)
    real = torch.view_as_real(turned)
    flat = real.flatten(-2) if interleaved else real.mT.flatten(-2)
    return torch.cat((flat, x[..., width:]), dim=-1)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("width", [4, 8])
def test_published_rotations_of_part_of_a_head_follow_the_paper(
    width: int, interleaved: bool
) -> None:
    options = nomic().to_dict() | {
        "rotary_emb_fraction": width / 8,
        "rotary_emb_interleaved": interleaved,
        "rope_theta": 50.0,
    }
    del options["rope_parameters"]
    ours = backbone_class("NomicBertModel").from_config(options)
    assert isinstance(ours, RotaryEncoder)
    batch = pack(texts_of(LONG))
    x = torch.randn(len(batch.ids), 4, 8, generator=torch.Generator().manual_seed(1))
    rates = 50.0 ** (-torch.arange(0, width, 2) / width)
    angles = (batch.positions[:, None] * rates)[:, None]
    expected = turned_in_part(x, angles.cos(), angles.sin(), width, interleaved=interleaved)
    assert_same([rotate(x, ours.rotary.table(batch))], [expected])


MASKED = [
    ("NomicBertForMaskedLM", nomic()),
    ("NomicBertForMaskedLM", nomic(hidden_act="gelu", tie_word_embeddings=False)),
    ("JinaEmbeddingsV3ForMaskedLM", jina(hidden_act="relu")),
    ("EuroBertForMaskedLM", eurobert(tie_word_embeddings=True)),
    ("EuroBertForMaskedLM", eurobert(mlp_bias=True)),
    ("ModernBertForMaskedLM", modernbert()),
    ("ModernBertForMaskedLM", modernbert(tie_word_embeddings=False, decoder_bias=False)),
    ("ModernBertForMaskedLM", modernbert(classifier_bias=True, norm_bias=True)),
]
CLASSES = [
    ("NomicBertForSequenceClassification", nomic(num_labels=1)),
    ("NomicBertForSequenceClassification", nomic(num_labels=3)),
    ("JinaEmbeddingsV3ForSequenceClassification", jina(num_labels=3)),
    ("ModernBertForSequenceClassification", modernbert(num_labels=1)),
    ("ModernBertForSequenceClassification", modernbert(num_labels=3, classifier_pooling="mean")),
    ("EuroBertForSequenceClassification", eurobert(num_labels=1, classifier_pooling="bos")),
    ("EuroBertForSequenceClassification", eurobert(num_labels=3, classifier_pooling="mean")),
    ("EuroBertForSequenceClassification", eurobert(num_labels=2)),
]


@pytest.mark.parametrize(("name", "config"), MASKED)
def test_logits_of_masked_words_equal_the_reference(name: str, config: Any) -> None:
    masked_words_agree(name, config, LONG)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(("name", "config"), CLASSES)
def test_logits_of_classes_equal_the_reference(name: str, config: Any, pairs: bool) -> None:
    classes_agree(name, config, LONG, pairs=pairs)


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("NomicBertModel", {"activation_function": "glu"}, "activation_function='glu'"),
        ("NomicBertModel", {"prenorm": True}, "prenorm"),
        ("NomicBertModel", {"num_experts": 8}, "num_experts"),
        ("NomicBertModel", {"rotary_emb_fraction": 0.0}, "numbers turned per head"),
        ("NomicBertModel", {"rotary_emb_scale_base": 512.0}, "rotary_emb_scale_base"),
        ("JinaEmbeddingsV3Model", {"hidden_act": "mish"}, "hidden_act='mish'"),
        ("JinaEmbeddingsV3Model", {"num_attention_heads": 32}, "numbers turned per head"),
        ("ModernBertModel", {"num_attention_heads": 32}, "num_attention_heads"),
        ("ModernBertModel", {"layer_types": ["chunked_attention"] * 4}, "layer_types"),
        ("EuroBertModel", {"classifier_pooling": "max"}, "classifier_pooling"),
    ],
)
def test_options_that_are_not_implemented_are_refused_by_name(
    name: str, options: dict[str, Any], named: str
) -> None:
    makers = {
        "NomicBertModel": nomic,
        "JinaEmbeddingsV3Model": jina,
        "ModernBertModel": modernbert,
        "EuroBertModel": eurobert,
    }
    with pytest.raises(UnsupportedCheckpoint, match=named):
        backbone_class(name).from_config(makers[name]().to_dict() | options)
