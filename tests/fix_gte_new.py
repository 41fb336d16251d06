"""Small models of the "new" encoder of GTE, by its formulas in plain padded torch."""

from __future__ import annotations

from typing import Any

from stelae.engines.references.gte_new import (
    GteModel,
    NewConfig,
    NewForMaskedLM,
    NewForSequenceClassification,
    NewModel,
)

Config = NewConfig

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_type": "layer_norm",
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pack_qkv": True,
    "position_embedding_type": "rope",
    "rope_theta": 500.0,
    "rope_scaling": None,
    "logn_attention_scale": False,
    "logn_attention_clip1": False,
    "pad_token_id": 0,
    "num_labels": 1,
}


def gte(**options: Any) -> NewConfig:
    return NewConfig(**TINY | options)


REFERENCES = {
    kind.__name__: kind
    for kind in (NewModel, GteModel, NewForMaskedLM, NewForSequenceClassification)
}
"""By class name in ``config.json``."""
