"""Heads of BERT and its kin against the reference library: tiny random weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from fix_arch import assert_same, backbone_of, prepack, reference_of, rows_of, texts_of
from fix_classic import albert, bert, camembert, distilbert, electra, mpnet, roberta, xlm_roberta
from torch import Tensor

from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.weights import assign

SECONDS = [2, 5, 1, 40, 0, 1]
WITH_SEGMENTS = ("Bert", "Electra", "Albert")

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
    theirs = reference_of(getattr(transformers, name), config)
    tensors = saved(theirs)
    batch = pack(texts_of())
    expected = [logits[0] for logits in logits_of(theirs)]
    assert_same(rows_of(masked_lm(name, config, tensors, batch), batch), expected)
    near = masked_lm(name, config, tensors, batch, torch.bfloat16)
    assert_one_direction(rows_of(near, batch), expected)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(("name", "config"), CLASSES)
def test_logits_of_classes_equal_the_reference(name: str, config: Any, pairs: bool) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    tensors = saved(theirs)
    batch = pack(texts_of(), seconds=SECONDS if pairs else [])
    expected = torch.cat(logits_of(theirs, SECONDS if pairs and typed(name) else None))
    assert_same([classes(name, config, tensors, batch)], [expected])
    near = classes(name, config, tensors, batch, torch.bfloat16)
    assert near.dtype == torch.float32
    assert_one_direction([near], [expected])


def typed(name: str) -> bool:
    """Whether the library's class takes token types; our batch may hold them in any case."""
    return name.startswith(WITH_SEGMENTS)


def saved(theirs: Any) -> dict[str, Tensor]:
    """The tensors as ``save_pretrained`` writes them: of tied ones, one."""
    tensors: dict[str, Tensor] = dict(theirs.state_dict())
    for tied in theirs.all_tied_weights_keys:
        del tensors[tied]
    return tensors


def logits_of(theirs: Any, seconds: list[int] | None = None) -> list[Tensor]:
    """The library's logits of each text, alone."""
    found = []
    for i, ids in enumerate(texts_of()):
        row = torch.from_numpy(ids).long()[None]
        types = {}
        if seconds is not None:
            types = {"token_type_ids": (torch.arange(len(ids)) >= seconds[i]).long()[None]}
        with torch.inference_mode():
            answer = theirs(input_ids=row, **types)
        found.append(answer["prediction_logits"] if "prediction_logits" in answer else answer[0])
    return found


def trunk_of(name: str, config: Any, tensors: dict[str, Tensor], dtype: torch.dtype) -> Backbone:
    """Our trunk."""
    trunk = backbone_of(name, config.to_dict(), tensors).to(dtype)
    assert isinstance(trunk, Backbone)
    return trunk


def masked_lm(
    name: str,
    config: Any,
    tensors: dict[str, Tensor],
    batch: TokenBatch,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Our logits of each token; a decoder that is not there is the word embeddings."""
    trunk = trunk_of(name, config, tensors, dtype)
    head = trunk.masked_lm()
    found = trunk.masked_lm_weights.apply(tensors)
    assert ("decoder.weight" in found) is not config.tie_word_embeddings
    found.setdefault("decoder.weight", trunk.words.weight)
    return run(trunk, head, found, batch, dtype)


def classes(
    name: str,
    config: Any,
    tensors: dict[str, Tensor],
    batch: TokenBatch,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Our logits of each text, in the order of the texts."""
    trunk = trunk_of(name, config, tensors, dtype)
    head = trunk.classifier(config.num_labels)
    found = trunk.classifier_weights.apply(tensors)
    rows = run(trunk, head, found, batch, dtype, whole=True)
    return torch.from_numpy(batch.restore(rows.numpy()))


def run(
    trunk: Backbone,
    head: torch.nn.Module,
    tensors: dict[str, Tensor],
    batch: TokenBatch,
    dtype: torch.dtype,
    *,
    whole: bool = False,
) -> Tensor:
    """Trunk and head, laid out as the engine does."""
    assign(head, tensors, dtype)
    prepack(trunk)
    prepack(head)
    with torch.inference_mode():
        states = trunk(batch)
        logits: Tensor = head(states, batch) if whole else head(states)
    return logits


def assert_one_direction(ours: list[Tensor], theirs: list[Tensor]) -> None:
    """All numbers together: cosine at least 0.999."""
    one, other = (torch.cat([row.float().flatten() for row in rows]) for rows in (ours, theirs))
    assert float(torch.cosine_similarity(one, other, dim=0)) >= 0.999
