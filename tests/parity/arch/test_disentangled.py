"""DeBERTa and its heads against the reference library."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from fix_arch import agree, assert_same, backbone_of, prepack, reference_of, rows_of, texts_of
from torch import Tensor, nn

from stelae.nn.backbone import Backbone
from stelae.nn.batch import pack
from stelae.nn.weights import assign

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 96,
    "initializer_range": 0.2,
    "type_vocab_size": 0,
    "relative_attention": True,
    "position_biased_input": False,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
}
LONG = (3, 90, 17, 90, 40, 1, 2)
"""Beyond the exact buckets."""


def deberta(**options: Any) -> Any:
    return transformers.DebertaV2Config(**TINY | options)


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
]
"""Corners of the configuration."""


@pytest.mark.parametrize("config", CASES)
def test_token_vectors_equal_the_reference(config: Any) -> None:
    agree("DebertaV2Model", config, transformers.DebertaV2Model, LONG)


@pytest.mark.parametrize("legacy", [True, False])
def test_logits_of_masked_words_equal_the_reference(legacy: bool) -> None:
    config = deberta(legacy=legacy)
    theirs = reference_of(transformers.DebertaV2ForMaskedLM, config)
    trunk = trunk_of("DebertaV2ForMaskedLM", config, theirs)
    found = trunk.masked_lm_weights.apply(theirs.state_dict())
    found.setdefault("decoder.weight", trunk.words.weight)
    batch = pack(texts_of(LONG))
    head = loaded(trunk, trunk.masked_lm(), found)
    with torch.inference_mode():
        logits = head(trunk(batch))
    assert_same(rows_of(logits, batch), [row[0] for row in logits_of(theirs)])


@pytest.mark.parametrize("options", [{"num_labels": 1}, {"num_labels": 3}])
def test_logits_of_classes_equal_the_reference(options: dict[str, Any]) -> None:
    config = deberta(**options)
    theirs = reference_of(transformers.DebertaV2ForSequenceClassification, config)
    trunk = trunk_of("DebertaV2ForSequenceClassification", config, theirs)
    batch = pack(texts_of(LONG))
    found = trunk.classifier_weights.apply(theirs.state_dict())
    head = loaded(trunk, trunk.classifier(options["num_labels"]), found)
    with torch.inference_mode():
        logits = torch.from_numpy(batch.restore(head(trunk(batch), batch).numpy()))
    assert_same([logits], [torch.cat(logits_of(theirs))])


def trunk_of(name: str, config: Any, theirs: Any) -> Backbone:
    trunk = backbone_of(name, config.to_dict(), theirs.state_dict())
    assert isinstance(trunk, Backbone)
    return trunk


def loaded(trunk: Backbone, head: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """The head with its weights; both laid out as the engine does."""
    assign(head, tensors, torch.float32)
    prepack(trunk)
    prepack(head)
    return head


def logits_of(theirs: Any) -> list[Tensor]:
    """The library's logits of each text, alone."""
    with torch.inference_mode():
        return [
            theirs(input_ids=torch.from_numpy(ids).long()[None]).logits for ids in texts_of(LONG)
        ]
