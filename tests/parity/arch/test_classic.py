"""BERT and its kin against the reference library: tiny random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from fix_arch import agree, assert_same, backbone_of, reference_of, rows_of, texts_of
from fix_classic import albert, bert, camembert, distilbert, electra, mpnet, roberta, xlm_roberta
from fix_kernels import kernels, none
from numpy.typing import NDArray

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import backbone_class
from stelae.nn.batch import pack

ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu")

CASES = [
    *(("BertModel", bert(hidden_act=name)) for name in ACTIVATIONS),
    ("BertModel", bert(type_vocab_size=1, num_attention_heads=1)),
    ("BertForPreTraining", bert(layer_norm_eps=1e-5)),
    ("BertForMaskedLM", bert()),
    ("BertForSequenceClassification", bert()),
    *(("RobertaModel", roberta(hidden_act=name)) for name in ACTIVATIONS),
    ("RobertaModel", roberta(pad_token_id=0)),
    ("RobertaModel", roberta(pad_token_id=4, max_position_embeddings=45)),
    ("RobertaModel", roberta(type_vocab_size=2, layer_norm_eps=1e-5)),
    ("RobertaForMaskedLM", roberta()),
    ("RobertaForSequenceClassification", roberta()),
    ("XLMRobertaModel", xlm_roberta()),
    ("XLMRobertaForMaskedLM", xlm_roberta(hidden_act="gelu_new")),
    ("XLMRobertaForSequenceClassification", xlm_roberta(pad_token_id=0)),
    ("CamembertModel", camembert()),
    ("CamembertForMaskedLM", camembert()),
    ("CamembertForSequenceClassification", camembert()),
    *(("MPNetModel", mpnet(hidden_act=name)) for name in ACTIVATIONS),
    ("MPNetModel", mpnet(num_attention_heads=2, num_hidden_layers=1)),
    ("MPNetForMaskedLM", mpnet()),
    ("MPNetForSequenceClassification", mpnet()),
    *(("DistilBertModel", distilbert(activation=name)) for name in ACTIVATIONS),
    ("DistilBertModel", distilbert(sinusoidal_pos_embds=True)),
    ("DistilBertForMaskedLM", distilbert()),
    ("DistilBertForSequenceClassification", distilbert()),
    *(("AlbertModel", albert(hidden_act=name)) for name in ACTIVATIONS),
    ("AlbertModel", albert(embedding_size=32)),
    ("AlbertModel", albert(num_hidden_layers=5, num_hidden_groups=2)),
    ("AlbertModel", albert(num_hidden_layers=2, num_hidden_groups=2, inner_group_num=3)),
    ("AlbertForMaskedLM", albert()),
    ("AlbertForPreTraining", albert()),
    ("AlbertForSequenceClassification", albert()),
    *(("ElectraModel", electra(hidden_act=name)) for name in ACTIVATIONS),
    ("ElectraModel", electra(embedding_size=32)),
    ("ElectraForPreTraining", electra()),
    ("ElectraForMaskedLM", electra()),
    ("ElectraForSequenceClassification", electra(embedding_size=64)),
]


@pytest.mark.parametrize(("name", "config"), CASES)
def test_classic_encoders_equal_the_reference(name: str, config: Any) -> None:
    agree(name, config, getattr(transformers, name))


def test_distances_far_beyond_the_largest_bucket_equal_the_reference() -> None:
    config = mpnet(max_position_embeddings=402)
    lengths = (400, 7, 400, 129)
    agree("MPNetModel", config, transformers.MPNetModel, lengths)
    with kernels(none):  # as without a compiler
        agree("MPNetModel", config, transformers.MPNetModel, lengths)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("BertModel", bert()),
        ("RobertaModel", roberta()),
        ("MPNetModel", mpnet()),
        ("DistilBertModel", distilbert()),
        ("ElectraModel", electra()),
        ("AlbertModel", albert(num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2)),
    ],
)
def test_every_layer_equals_the_reference(name: str, config: Any) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict())
    text = texts_of((19,))[0]
    with torch.inference_mode():
        expected = theirs(input_ids=_row(text), output_hidden_states=True).hidden_states
        assert_same(list(ours.states(pack([text]))), [state[0] for state in expected])


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("RobertaModel", roberta()),
        ("RobertaModel", roberta(pad_token_id=7, max_position_embeddings=60)),
        ("XLMRobertaModel", xlm_roberta()),
        ("CamembertModel", camembert()),
        ("MPNetModel", mpnet()),
        ("MPNetModel", mpnet(pad_token_id=3)),
        ("BertModel", bert()),
    ],
)
def test_padding_tokens_inside_a_text_equal_the_reference(name: str, config: Any) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict())
    padding = config.pad_token_id
    texts = [
        np.array(ids, np.int32)
        for ids in ([5, padding, 9, 9], [padding], [8, 1, 3, padding], [padding, 5, padding, 6, 7])
    ]
    batch = pack(texts)
    with torch.inference_mode():
        expected = [theirs(input_ids=_row(ids)).last_hidden_state[0] for ids in texts]
        assert_same(rows_of(ours(batch), batch), expected)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("BertModel", bert()),
        ("RobertaModel", roberta(type_vocab_size=2)),
        ("ElectraModel", electra()),
        ("AlbertModel", albert(type_vocab_size=3)),
    ],
)
def test_segments_equal_the_reference(name: str, config: Any) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict())
    texts, seconds = texts_of(), [2, 5, 1, 40, 0, 1]
    batch = pack(texts, seconds=seconds)
    with torch.inference_mode():
        expected = [
            theirs(input_ids=_row(ids), token_type_ids=_types(ids, second)).last_hidden_state[0]
            for ids, second in zip(texts, seconds, strict=True)
        ]
        assert_same(rows_of(ours(batch), batch), expected)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("RobertaModel", roberta()),
        ("MPNetModel", mpnet()),
        ("DistilBertModel", distilbert()),
    ],
)
def test_families_without_segments_read_pairs_as_one_text(name: str, config: Any) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict())
    texts = texts_of()
    pairs, alone = pack(texts, seconds=[1] * len(texts)), pack(texts)
    with torch.inference_mode():
        torch.testing.assert_close(ours(pairs), ours(alone), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("BertModel", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ("BertModel", {"is_decoder": True}, "is_decoder"),
        ("RobertaModel", {"hidden_act": "gelu_10"}, "hidden_act='gelu_10'"),
        ("DistilBertModel", {"activation": "mish"}, "activation='mish'"),
        ("DistilBertModel", {"dim": 0}, "dim"),
        ("RobertaModel", {"pad_token_id": None}, "pad_token_id"),
        ("MPNetModel", {"relative_attention_num_buckets": 64}, "relative_attention_num_buckets"),
        ("AlbertModel", {"num_hidden_groups": 4}, "num_hidden_groups"),
        ("ElectraModel", {"num_attention_heads": 5}, "num_attention_heads"),
    ],
)
def test_options_that_are_not_implemented_are_refused_by_name(
    name: str, options: dict[str, Any], named: str
) -> None:
    makers = {
        "BertModel": bert,
        "RobertaModel": roberta,
        "DistilBertModel": distilbert,
        "MPNetModel": mpnet,
        "AlbertModel": albert,
        "ElectraModel": electra,
    }
    config = makers[name]().to_dict() | options
    with pytest.raises(UnsupportedCheckpoint, match=named):
        backbone_class(name).from_config(config)


def _row(ids: NDArray[np.int32]) -> torch.Tensor:
    return torch.from_numpy(ids).long()[None]


def _types(ids: NDArray[np.int32], second: int) -> torch.Tensor:
    return (torch.arange(len(ids)) >= second).long()[None]
