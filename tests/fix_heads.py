"""Heads of checkpoints side by side with the reference library."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
import transformers
from fix_arch import LENGTHS, assert_same, backbone_of, prepack, reference_of, rows_of, texts_of
from numpy.typing import NDArray
from torch import Tensor, nn

from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.weights import assign


def masked_words_agree(name: str, config: Any, lengths: Sequence[int] = LENGTHS) -> None:
    """Our logits of each token equal those of the library's ``...ForMaskedLM``."""
    theirs = reference_of(getattr(transformers, name), config)
    texts, tensors = texts_of(lengths), saved(theirs)
    expected, batch = [logits[0] for logits in logits_of(theirs, texts)], pack(texts)
    ours = rows_of(masked_words(name, config, tensors, batch), batch)
    assert_same(ours, expected)
    near = rows_of(masked_words(name, config, tensors, batch, torch.bfloat16), batch)
    assert_one_direction(near, expected)


def classes_agree(
    name: str, config: Any, lengths: Sequence[int] = LENGTHS, *, pairs: bool = False
) -> None:
    """Our logits of each text equal those of the library's ``...ForSequenceClassification``."""
    theirs = reference_of(getattr(transformers, name), config)
    texts, tensors = texts_of(lengths), saved(theirs)
    seconds = [n if n == max(lengths) else n // 2 for n in lengths] if pairs else []
    batch = pack(texts, seconds=seconds)
    expected = torch.cat(logits_of(theirs, texts, seconds))
    assert_same([classes(name, config, tensors, batch)], [expected])
    near = classes(name, config, tensors, batch, torch.bfloat16)
    assert near.dtype == torch.float32
    assert_one_direction([near], [expected])


def saved(theirs: Any) -> dict[str, Tensor]:
    """The tensors as ``save_pretrained`` writes them: of tied ones, one."""
    tensors: dict[str, Tensor] = dict(theirs.state_dict())
    for tied in theirs.all_tied_weights_keys:
        tensors.pop(tied, None)
    return tensors


def logits_of(
    theirs: Any, texts: Sequence[NDArray[Any]], seconds: Sequence[int] = ()
) -> list[Tensor]:
    """The library's logits of each text, alone; with segments where its class takes them."""
    segments = "token_type_ids" in inspect.signature(theirs.forward).parameters
    found = []
    for i, ids in enumerate(texts):
        row = torch.from_numpy(ids).long()[None]
        types = {}
        if seconds and segments:
            second = torch.arange(len(ids)) >= seconds[i]
            # A class with one segment is told of no other.
            types = {"token_type_ids": second.long()[None] * (theirs.config.type_vocab_size > 1)}
        with torch.inference_mode():
            answer = theirs(input_ids=row, **types)
        found.append(answer["prediction_logits"] if "prediction_logits" in answer else answer[0])
    return found


def masked_words(
    name: str,
    config: Any,
    tensors: dict[str, Tensor],
    batch: TokenBatch,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Our logits of each token; a decoder that is not there is the word embeddings."""
    trunk = _trunk(name, config, tensors, dtype)
    found = trunk.masked_lm_weights.apply(tensors)
    assert ("decoder.weight" in found) is not config.tie_word_embeddings
    found.setdefault("decoder.weight", trunk.words.weight)
    return _run(trunk, trunk.masked_lm(), found, batch, dtype)


def classes(
    name: str,
    config: Any,
    tensors: dict[str, Tensor],
    batch: TokenBatch,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Our logits of each text, in the order of the texts."""
    trunk = _trunk(name, config, tensors, dtype)
    head, found = trunk.classifier(config.num_labels), trunk.classifier_weights.apply(tensors)
    rows = _run(trunk, head, found, batch, dtype, whole=True)
    return torch.from_numpy(batch.restore(rows.numpy()))


def _trunk(name: str, config: Any, tensors: dict[str, Tensor], dtype: torch.dtype) -> Backbone:
    trunk = backbone_of(name, config.to_dict(), tensors).to(dtype)
    assert isinstance(trunk, Backbone)
    return trunk


def _run(
    trunk: Backbone,
    head: nn.Module,
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


def assert_one_direction(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    """All numbers together: cosine at least 0.999."""
    one, other = (torch.cat([row.float().flatten() for row in rows]) for rows in (ours, theirs))
    assert float(torch.cosine_similarity(one, other, dim=0)) >= 0.999
