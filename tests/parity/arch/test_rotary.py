"""Rotary bidirectional encoders and their heads against the reference library."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from fix_arch import agree, assert_same, backbone_of, prepack, reference_of, rows_of, texts_of
from torch import Tensor

from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.weights import WeightMap, assign

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 160,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LONG = (3, 150, 17, 150, 40, 1, 2)
"""Far beyond the windows below."""


def modernbert(**options: Any) -> Any:
    special = {"cls_token_id": 1, "sep_token_id": 2, "local_attention": 12}
    return transformers.ModernBertConfig(**TINY | special | options)


def eurobert(**options: Any) -> Any:
    return transformers.EuroBertConfig(**TINY | {"mask_token_id": 3} | options)


def nomic(**options: Any) -> Any:
    return transformers.NomicBertConfig(**TINY | options)


CASES = [
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


def test_nomic_checkpoints_as_published_equal_the_reference() -> None:
    config = nomic()
    theirs = reference_of(transformers.NomicBertModel, config)
    tensors = {published(name): tensor for name, tensor in theirs.state_dict().items()}
    for layer in range(config.num_hidden_layers):
        parts = [tensors.pop(f"encoder.layers.{layer}.self_attn.{n}_proj.weight") for n in "qkv"]
        tensors[f"encoder.layers.{layer}.attn.Wqkv.weight"] = torch.cat(parts)
    plain = config.to_dict()
    options = {PUBLISHED.get(name, name): value for name, value in plain.items()}
    options |= {"activation_function": "swiglu", "rotary_emb_base": 1000, "n_positions": 8192}
    for name in ("hidden_act", "rope_parameters", "head_dim"):
        del options[name]
    ours, batch = backbone_of("NomicBertModel", options, tensors), pack(texts_of(LONG))
    with torch.inference_mode():
        expected = [
            theirs(input_ids=torch.from_numpy(ids).long()[None]).last_hidden_state[0]
            for ids in texts_of(LONG)
        ]
        assert_same(rows_of(ours(batch), batch), expected)


def published(name: str) -> str:
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


MASKED = [
    ("ModernBertForMaskedLM", modernbert()),
    ("ModernBertForMaskedLM", modernbert(tie_word_embeddings=False, decoder_bias=False)),
    ("ModernBertForMaskedLM", modernbert(classifier_bias=True, norm_bias=True)),
]
CLASSES = [
    ("ModernBertForSequenceClassification", modernbert(num_labels=1)),
    ("ModernBertForSequenceClassification", modernbert(num_labels=3, classifier_pooling="mean")),
    ("EuroBertForSequenceClassification", eurobert(num_labels=1, classifier_pooling="bos")),
    ("EuroBertForSequenceClassification", eurobert(num_labels=3, classifier_pooling="mean")),
    ("EuroBertForSequenceClassification", eurobert(num_labels=2)),
]


@pytest.mark.parametrize(("name", "config"), MASKED)
def test_logits_of_masked_words_equal_the_reference(name: str, config: Any) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    trunk, batch = backbone_of(name, config.to_dict(), theirs.state_dict()), pack(texts_of(LONG))
    assert isinstance(trunk, Backbone)
    logits = run(trunk, trunk.masked_lm(), trunk.masked_lm_weights, theirs, batch)
    assert_same(rows_of(logits, batch), [row[0] for row in logits_of(theirs)])


@pytest.mark.parametrize(("name", "config"), CLASSES)
def test_logits_of_classes_equal_the_reference(name: str, config: Any) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    trunk, batch = backbone_of(name, config.to_dict(), theirs.state_dict()), pack(texts_of(LONG))
    assert isinstance(trunk, Backbone)
    head = trunk.classifier(config.num_labels)
    logits = run(trunk, head, trunk.classifier_weights, theirs, batch, whole=True)
    ours = torch.from_numpy(batch.restore(logits.numpy()))
    assert_same([ours], [torch.cat(logits_of(theirs))])


def logits_of(theirs: Any) -> list[Tensor]:
    """The library's logits of each text, alone."""
    with torch.inference_mode():
        return [
            theirs(input_ids=torch.from_numpy(ids).long()[None]).logits for ids in texts_of(LONG)
        ]


def run(
    trunk: Backbone,
    head: torch.nn.Module,
    names: WeightMap,
    theirs: Any,
    batch: TokenBatch,
    *,
    whole: bool = False,
) -> Tensor:
    """Trunk and head, laid out as the engine does."""
    assign(head, names.apply(theirs.state_dict()), torch.float32)
    prepack(trunk)
    prepack(head)
    with torch.inference_mode():
        states = trunk(batch)
        logits: Tensor = head(states, batch) if whole else head(states)
    return logits
