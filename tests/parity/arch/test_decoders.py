"""Decoders and their heads against the reference library: tiny random weights."""

from __future__ import annotations

from typing import Any

import pytest
import transformers
from fix_arch import agree
from fix_kernels import kernels, none

from stelae.nn.layers import attention

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}
GEMMA = TINY | {"head_dim": 16, "num_key_value_heads": 2, "query_pre_attn_scalar": 12}
NESTED = {
    "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 3000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
}


def llama(**options: Any) -> Any:
    return transformers.LlamaConfig(**TINY | options)


def mistral(**options: Any) -> Any:
    return transformers.MistralConfig(**TINY | {"num_key_value_heads": 2} | options)


def qwen2(**options: Any) -> Any:
    return transformers.Qwen2Config(**TINY | {"num_key_value_heads": 2} | options)


def qwen3(**options: Any) -> Any:
    return transformers.Qwen3Config(**TINY | {"num_key_value_heads": 2, "head_dim": 16} | options)


def gemma2(**options: Any) -> Any:
    """The eager form: the library's other forms leave out the cap on scores."""
    config = transformers.Gemma2Config(**GEMMA | options)
    config._attn_implementation = "eager"
    return config


def gemma3(**options: Any) -> Any:
    return transformers.Gemma3TextConfig(**GEMMA | options)


def scaled(kind: str, **options: Any) -> Any:
    parameters = {"rope_type": kind, "rope_theta": 500.0, **options}
    return llama(rope_parameters=parameters, max_position_embeddings=16)


DYNAMIC = {"factor": 4.0}
YARN = {"factor": 4.0, "original_max_position_embeddings": 8}
LLAMA3 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 12,
}
LONGROPE = {
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [1.5, 2.5, 4.0, 8.0],
    "original_max_position_embeddings": 10,
}

CASES = [
    ("LlamaModel", llama()),
    ("LlamaModel", llama(num_key_value_heads=2)),
    ("LlamaModel", llama(num_key_value_heads=1, head_dim=20)),
    ("LlamaModel", llama(attention_bias=True, mlp_bias=True, hidden_act="gelu")),
    ("LlamaModel", llama(is_causal=False)),
    ("LlamaModel", scaled("linear", factor=2.5)),
    ("LlamaModel", scaled("dynamic", **DYNAMIC)),
    ("LlamaModel", scaled("yarn", **YARN)),
    ("LlamaModel", scaled("yarn", **YARN, truncate=False, beta_fast=4.0, beta_slow=0.5)),
    ("LlamaModel", scaled("yarn", **YARN, mscale=0.7, mscale_all_dim=0.4)),
    ("LlamaModel", scaled("yarn", **YARN, attention_factor=1.3)),
    ("LlamaModel", scaled("longrope", **LONGROPE)),
    ("LlamaModel", scaled("longrope", **LONGROPE, factor=3.0)),
    ("LlamaModel", scaled("llama3", **LLAMA3)),
    ("LlamaForCausalLM", llama(tie_word_embeddings=True)),
    ("LlamaForSequenceClassification", llama(num_labels=3)),
    ("MistralModel", mistral(sliding_window=7)),
    ("MistralModel", mistral(sliding_window=None, head_dim=10)),
    ("MistralModel", mistral(sliding_window=7, is_causal=False)),
    ("MistralForCausalLM", mistral()),
    ("MistralForSequenceClassification", mistral(num_labels=1)),
    ("Qwen2Model", qwen2()),
    ("Qwen2Model", qwen2(is_causal=False)),
    ("Qwen2Model", qwen2(use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    ("Qwen2Model", qwen2(use_sliding_window=False, sliding_window=5, max_window_layers=1)),
    (
        "Qwen2Model",
        qwen2(use_sliding_window=True, sliding_window=5, max_window_layers=2, is_causal=False),
    ),
    ("Qwen2ForCausalLM", qwen2(tie_word_embeddings=True)),
    ("Qwen2ForSequenceClassification", qwen2(num_labels=2)),
    ("Qwen3Model", qwen3()),
    ("Qwen3Model", qwen3(attention_bias=True, is_causal=False)),
    ("Qwen3Model", qwen3(use_sliding_window=True, sliding_window=4, max_window_layers=1)),
    ("Qwen3ForCausalLM", qwen3(tie_word_embeddings=True)),
    ("Qwen3ForSequenceClassification", qwen3(num_labels=2)),
    ("Gemma2Model", gemma2(sliding_window=6, attn_logit_softcapping=2.0)),
    ("Gemma2Model", gemma2(attn_logit_softcapping=None, attention_bias=True)),
    ("Gemma2Model", gemma2(sliding_window=6, attn_logit_softcapping=2.0, is_causal=False)),
    ("Gemma2ForCausalLM", gemma2(tie_word_embeddings=False)),
    ("Gemma2ForSequenceClassification", gemma2(num_labels=2)),
    ("Gemma3TextModel", gemma3(sliding_window=6, sliding_window_pattern=2)),
    ("Gemma3TextModel", gemma3(sliding_window=6, use_bidirectional_attention=True)),
    ("Gemma3TextModel", gemma3(sliding_window=7, use_bidirectional_attention=True)),
    ("Gemma3TextModel", gemma3(sliding_window=6, sliding_window_pattern=2, is_causal=False)),
    ("Gemma3TextModel", gemma3(rope_parameters=NESTED, sliding_window_pattern=2)),
    ("Gemma3ForCausalLM", gemma3(attention_bias=True)),
    ("Gemma3TextForSequenceClassification", gemma3(num_labels=2)),
]


@pytest.mark.parametrize(("name", "config"), CASES)
def test_decoders_equal_the_reference(name: str, config: Any) -> None:
    agree(name, config, getattr(transformers, name))


LONG = {"max_position_embeddings": 300}


@pytest.mark.parametrize("scores", [1, 20_000, 1 << 24])
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Gemma2Model", gemma2(sliding_window=70, attn_logit_softcapping=2.0, **LONG)),
        ("Gemma2Model", gemma2(sliding_window=5, is_causal=False, **LONG)),
        ("Gemma3TextModel", gemma3(sliding_window=70, use_bidirectional_attention=True, **LONG)),
        ("MistralModel", mistral(sliding_window=130, **LONG)),
    ],
)
def test_long_texts_equal_the_reference_however_few_scores_are_held_at_once(
    name: str, config: Any, scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "SCORES", scores)
    lengths = (9, 300, 9, 9, 257, 300) if scores > 1 else (9, 30, 9, 9)
    with kernels(none):  # a compiled one holds fewer, if there is one
        agree(name, config, getattr(transformers, name), lengths, bfloat16=False)


@pytest.mark.parametrize("options", [{"sliding_window": 70}, {"is_causal": False}])
def test_capped_scores_of_long_texts_equal_the_reference(options: dict[str, Any]) -> None:
    config = gemma2(attn_logit_softcapping=2.0, **options, **LONG)
    agree("Gemma2Model", config, transformers.Gemma2Model, (9, 300, 9, 257, 300))
