"""Configs of encoders with rotary and relative positions, tiny, in the library's words."""

from __future__ import annotations

from typing import Any

import transformers

LONG = (3, 150, 17, 150, 40, 1, 2)
"""Tokens of the texts in one batch, far beyond the windows and distances below."""

ROTARY: dict[str, Any] = {
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
DEBERTA: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 160,
    "initializer_range": 0.2,
    "type_vocab_size": 0,
    "relative_attention": True,
    "position_biased_input": False,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
}
T5: dict[str, Any] = {
    "vocab_size": 100,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 3,
    "num_heads": 4,
    "initializer_factor": 1.2,
    "decoder_start_token_id": 0,
}


def modernbert(**options: Any) -> Any:
    special = {"cls_token_id": 1, "sep_token_id": 2, "local_attention": 12}
    return transformers.ModernBertConfig(**ROTARY | special | options)


def eurobert(**options: Any) -> Any:
    return transformers.EuroBertConfig(**ROTARY | {"mask_token_id": 3} | options)


def nomic(**options: Any) -> Any:
    return transformers.NomicBertConfig(**ROTARY | options)


def jina(**options: Any) -> Any:
    return transformers.JinaEmbeddingsV3Config(**ROTARY | {"type_vocab_size": 1} | options)


def deberta(**options: Any) -> Any:
    return transformers.DebertaV2Config(**DEBERTA | options)


def t5(**options: Any) -> Any:
    return transformers.T5Config(**T5 | options)


def mt5(**options: Any) -> Any:
    return transformers.MT5Config(**T5 | options)


def umt5(**options: Any) -> Any:
    return transformers.UMT5Config(**T5 | options)
