"""Heads of BERT and its kin against the reference library: tiny random weights."""

from __future__ import annotations

from typing import Any

import pytest
from fix_classic import albert, bert, camembert, distilbert, electra, mpnet, roberta, xlm_roberta
from fix_heads import classes_agree, masked_words_agree

MASKED = [
    ("BertForMaskedLM", bert()),
    ("BertForMaskedLM", bert(tie_word_embeddings=False, hidden_act="gelu_new")),
    ("BertForPreTraining", bert(hidden_act="relu")),
    ("RobertaForMaskedLM", roberta(hidden_act="relu", layer_norm_eps=1e-5)),
    ("RobertaForMaskedLM", roberta(tie_word_embeddings=False)),
    ("XLMRobertaForMaskedLM", xlm_roberta()),
    ("CamembertForMaskedLM", camembert()),
    ("MPNetForMaskedLM", mpnet(hidden_act="silu")),
    ("MPNetForMaskedLM", mpnet(tie_word_embeddings=False)),
    ("DistilBertForMaskedLM", distilbert(activation="relu")),
    ("DistilBertForMaskedLM", distilbert(tie_word_embeddings=False)),
    ("AlbertForMaskedLM", albert()),
    ("AlbertForMaskedLM", albert(hidden_act="relu", tie_word_embeddings=False)),
    ("AlbertForPreTraining", albert()),
    ("ElectraForMaskedLM", electra(hidden_act="relu")),
    ("ElectraForMaskedLM", electra(embedding_size=32, tie_word_embeddings=False)),
]

CLASSES = [
    ("BertForSequenceClassification", bert(num_labels=1)),
    ("BertForSequenceClassification", bert(num_labels=3)),
    ("RobertaForSequenceClassification", roberta(num_labels=1)),
    ("RobertaForSequenceClassification", roberta(num_labels=3)),
    ("XLMRobertaForSequenceClassification", xlm_roberta(num_labels=1)),
    ("CamembertForSequenceClassification", camembert(num_labels=3)),
    ("MPNetForSequenceClassification", mpnet(num_labels=1)),
    ("MPNetForSequenceClassification", mpnet(num_labels=3)),
    ("DistilBertForSequenceClassification", distilbert(num_labels=1)),
    ("DistilBertForSequenceClassification", distilbert(num_labels=3)),
    ("AlbertForSequenceClassification", albert(num_labels=1)),
    ("AlbertForSequenceClassification", albert(num_labels=3)),
    ("ElectraForSequenceClassification", electra(num_labels=1)),
    ("ElectraForSequenceClassification", electra(num_labels=3)),
]


@pytest.mark.parametrize(("name", "config"), MASKED)
def test_logits_of_masked_words_equal_the_reference(name: str, config: Any) -> None:
    masked_words_agree(name, config)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(("name", "config"), CLASSES)
def test_logits_of_classes_equal_the_reference(name: str, config: Any, pairs: bool) -> None:
    classes_agree(name, config, pairs=pairs)
