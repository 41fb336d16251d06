"""Configs of BERT and its kin, tiny, in the words of the reference library."""

from __future__ import annotations

from typing import Any

import transformers

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
}
OFFSET = TINY | {"max_position_embeddings": 42}
NARROW = TINY | {"embedding_size": 16}


def bert(**options: Any) -> Any:
    return transformers.BertConfig(**TINY | options)


def roberta(**options: Any) -> Any:
    return transformers.RobertaConfig(**OFFSET | {"type_vocab_size": 1} | options)


def xlm_roberta(**options: Any) -> Any:
    return transformers.XLMRobertaConfig(**OFFSET | {"type_vocab_size": 1} | options)


def camembert(**options: Any) -> Any:
    return transformers.CamembertConfig(**OFFSET | {"type_vocab_size": 1} | options)


def mpnet(**options: Any) -> Any:
    return transformers.MPNetConfig(**OFFSET | options)


def electra(**options: Any) -> Any:
    return transformers.ElectraConfig(**NARROW | options)


def albert(**options: Any) -> Any:
    return transformers.AlbertConfig(**NARROW | options)


def distilbert(**options: Any) -> Any:
    tiny = {
        "vocab_size": 100,
        "dim": 32,
        "n_layers": 3,
        "n_heads": 4,
        "hidden_dim": 64,
        "max_position_embeddings": 40,
        "initializer_range": 0.2,
    }
    return transformers.DistilBertConfig(**tiny | options)
