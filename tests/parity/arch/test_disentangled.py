"""DeBERTa and its heads against the reference library."""

from __future__ import annotations

from typing import Any

import pytest
import transformers
from fix_arch import agree
from fix_heads import classes_agree, masked_words_agree
from fix_kernels import kernels, none
from fix_relative import LONG, deberta

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import backbone_class

CASES = [
    deberta(),
    deberta(position_buckets=-1),
    deberta(position_buckets=-1, max_relative_positions=20),
    deberta(share_att_key=False),
    deberta(share_att_key=False, pos_att_type="c2p"),
    deberta(pos_att_type="p2c", norm_rel_ebd="none"),
    deberta(position_biased_input=True, type_vocab_size=2, hidden_act="gelu_new"),
    deberta(relative_attention=False, position_biased_input=True, pos_att_type=None),
    deberta(embedding_size=24),
    deberta(conv_kernel_size=3, conv_act="gelu"),
    deberta(conv_kernel_size=5, num_hidden_layers=1),
]
"""Corners of the configuration."""


@pytest.mark.parametrize("config", CASES)
def test_token_vectors_equal_the_reference(config: Any) -> None:
    agree("DebertaV2Model", config, transformers.DebertaV2Model, LONG)


@pytest.mark.parametrize("kinds", ["c2p", "p2c", "c2p|p2c"])
def test_long_texts_equal_the_reference_with_a_compiler_and_without(kinds: str) -> None:
    config = deberta(pos_att_type=kinds, max_position_embeddings=300, num_hidden_layers=1)
    lengths = (9, 300, 131, 9)
    agree("DebertaV2Model", config, transformers.DebertaV2Model, lengths)
    with kernels(none):
        agree("DebertaV2Model", config, transformers.DebertaV2Model, lengths)


@pytest.mark.parametrize("legacy", [True, False])
def test_logits_of_masked_words_equal_the_reference(legacy: bool) -> None:
    masked_words_agree("DebertaV2ForMaskedLM", deberta(legacy=legacy), LONG)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(
    "options", [{"num_labels": 1}, {"num_labels": 3, "pooler_hidden_act": "tanh"}]
)
def test_logits_of_classes_equal_the_reference(options: dict[str, Any], pairs: bool) -> None:
    config = deberta(**options, type_vocab_size=2)
    classes_agree("DebertaV2ForSequenceClassification", config, LONG, pairs=pairs)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"pos_att_type": ["c2p", "p2p"]}, "pos_att_type"),
        ({"conv_kernel_size": 4}, "conv_kernel_size"),
        ({"conv_kernel_size": 3, "conv_groups": 2}, "conv_groups"),
        ({"conv_kernel_size": 3, "conv_act": "mish"}, "conv_act='mish'"),
        ({"hidden_act": "mish"}, "hidden_act='mish'"),
    ],
)
def test_options_that_are_not_implemented_are_refused_by_name(
    options: dict[str, Any], named: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=named):
        backbone_class("DebertaV2Model").from_config(deberta().to_dict() | options)
