"""Decoders as embedders and rerankers: one checkpoint per family, laid out as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.bpe import GPT_SPLIT, QWEN_SPLIT, byte_level, with_byte_fallback
from tiny.decoder import Decoder, decoder_config, decoder_weights
from tiny.files import write_json, write_tensors
from tiny.layout import (
    NEW,
    OLD,
    pooling_flags,
    pooling_mode,
    write_dense,
    write_modules,
    write_prompts,
    write_reading_new,
)
from tiny.numbers import Numbers

IDENTITY = "torch.nn.modules.linear.Identity"
TASK = "Given a web search query, retrieve relevant passages that answer the query"

QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
LLAMA_SPECIALS = ("<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>")
MISTRAL_SPECIALS = ("<unk>", "<s>", "</s>")
GEMMA_SPECIALS = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")

QWEN3 = Decoder(qk_norm=True, head=24)
QWEN2 = Decoder(qkv_bias=True)
LLAMA = Decoder(kv_heads=4)
MISTRAL = Decoder(kv_heads=1)
GEMMA = Decoder(qk_norm=True, four_norms=True, kv_heads=1, layers=3)

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
)
"""How the language model is chatted with, which an embedder must not be."""


def write_qwen_tokenizer(folder: Path, *, after: str, **settings: Any) -> int:
    """Write the tokenizer of the Qwen family; ``after`` closes each text."""
    content, vocabulary = byte_level(QWEN_SPLIT, QWEN_SPECIALS, after=after, nfc=True)
    write_json(folder / "tokenizer.json", content)
    shared = {
        "add_prefix_space": False,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "model_max_length": 512,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    write_json(folder / "tokenizer_config.json", shared | settings)
    return vocabulary


def padded(vocabulary: int) -> int:
    """Rows of embeddings: more than there are tokens, as large models have it."""
    return -(-vocabulary // 64) * 64


def qwen3_embedding(folder: Path) -> None:
    """Qwen3-Embedding: last token, an instruction before queries, left padding, a chat template."""
    vocabulary = padded(write_qwen_tokenizer(folder, after="<|endoftext|>", chat_template=CHAT))
    config = decoder_config(
        QWEN3,
        vocabulary,
        "Qwen3ForCausalLM",
        model_type="qwen3",
        max_window_layers=QWEN3.layers,
        rope_scaling=None,
        rope_theta=1000000,
        sliding_window=None,
        tie_word_embeddings=True,
        use_sliding_window=False,
    )
    write_json(folder / "config.json", config)
    weights = decoder_weights("qwen3-embedding", QWEN3, vocabulary)
    write_tensors(folder / "model.safetensors", weights)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(QWEN3.width, "lasttoken"))
    write_reading_new(folder)
    write_prompts(folder, {"query": f"Instruct: {TASK}\nQuery:", "document": ""})


def gte_qwen2(folder: Path) -> None:
    """GTE-Qwen2: a decoder that reads in both directions, saved with its language head."""
    vocabulary = write_qwen_tokenizer(folder, after="<|endoftext|>")
    config = decoder_config(
        QWEN2,
        vocabulary,
        "Qwen2ForCausalLM",
        model_type="qwen2",
        attention_bias=...,
        head_dim=...,
        is_causal=False,
        max_window_layers=QWEN2.layers,
        rope_theta=1000000.0,
        sliding_window=64,
        tie_word_embeddings=False,
        use_sliding_window=False,
    )
    write_json(folder / "config.json", config)
    head = Numbers("gte-qwen2/head").linear("lm_head", vocabulary, QWEN2.width, bias=False)
    weights = decoder_weights("gte-qwen2", QWEN2, vocabulary, prefix="model.")
    write_tensors(folder / "model.safetensors", weights | head)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(QWEN2.width, "lasttoken"))
    write_prompts(folder, {"query": f"Instruct: {TASK}\nQuery: "})


def llama_mean(folder: Path) -> None:
    """Llama in both directions, mean pooling, angles stretched as in Llama 3."""
    content, vocabulary = byte_level(GPT_SPLIT, LLAMA_SPECIALS, before="<|begin_of_text|>")
    write_json(folder / "tokenizer.json", content)
    settings = {
        "bos_token": "<|begin_of_text|>",
        "clean_up_tokenization_spaces": True,
        "eos_token": "<|end_of_text|>",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 512,
        "pad_token": "<|finetune_right_pad_id|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(folder / "tokenizer_config.json", settings)
    rope = {
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 64,
        "rope_theta": 500000.0,
        "rope_type": "llama3",
    }
    config = decoder_config(
        LLAMA,
        vocabulary,
        "LlamaModel",
        model_type="llama",
        is_causal=False,
        mlp_bias=False,
        pretraining_tp=1,
        rope_parameters=rope,
        tie_word_embeddings=True,
    )
    write_json(folder / "config.json", config)
    weights = decoder_weights("llama-mean", LLAMA, vocabulary)
    write_tensors(folder / "model.safetensors", weights)
    write_modules(folder, ["Transformer", "Pooling"], names=NEW)
    write_json(folder / "1_Pooling/config.json", pooling_mode(LLAMA.width, "mean"))
    write_reading_new(folder)


def mistral_last(folder: Path) -> None:
    """E5-Mistral: last token, which is always ``</s>``, and a window on what tokens see."""
    reading = {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "pre_tokenizer": None,
    }
    content, vocabulary = with_byte_fallback(
        MISTRAL_SPECIALS, before="<s>", after="</s>", reading=reading, unknown="<unk>"
    )
    write_json(folder / "tokenizer.json", content)
    settings = {
        "bos_token": "<s>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "</s>",
        "legacy": False,
        "model_max_length": 512,
        "pad_token": "</s>",
        "padding_side": "left",
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    }
    write_json(folder / "tokenizer_config.json", settings)
    config = decoder_config(
        MISTRAL,
        vocabulary,
        "MistralModel",
        model_type="mistral",
        attention_bias=...,
        head_dim=...,
        rope_theta=10000.0,
        sliding_window=24,
        tie_word_embeddings=False,
    )
    write_json(folder / "config.json", config)
    weights = decoder_weights("mistral-last", MISTRAL, vocabulary)
    write_tensors(folder / "model.safetensors", weights)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(MISTRAL.width, "lasttoken"))
    write_prompts(folder, {"web_search_query": f"Instruct: {TASK}\nQuery: "})


def gemma3_embedding(folder: Path) -> None:
    """EmbeddingGemma: in both directions, local and global layers, mean, two dense layers."""
    reading = {
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
    }
    content, vocabulary = with_byte_fallback(
        GEMMA_SPECIALS, before="<bos>", after="<eos>", reading=reading, unknown="<unk>"
    )
    write_json(folder / "tokenizer.json", content)
    settings = {
        "add_bos_token": True,
        "add_eos_token": True,
        "bos_token": "<bos>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<eos>",
        "mask_token": "<mask>",
        "model_max_length": 512,
        "pad_token": "<pad>",
        "tokenizer_class": "GemmaTokenizer",
        "unk_token": "<unk>",
    }
    write_json(folder / "tokenizer_config.json", settings)
    config = decoder_config(
        GEMMA,
        vocabulary,
        "Gemma3TextModel",
        model_type="gemma3_text",
        _sliding_window_pattern=3,
        attn_logit_softcapping=None,
        final_logit_softcapping=None,
        hidden_act=...,
        hidden_activation="gelu_pytorch_tanh",
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        query_pre_attn_scalar=GEMMA.head,
        rope_local_base_freq=10000.0,
        rope_scaling=None,
        rope_theta=1000000.0,
        sliding_window=16,
        use_bidirectional_attention=True,
    )
    write_json(folder / "config.json", config)
    weights = decoder_weights("gemma3-embedding", GEMMA, vocabulary)
    write_tensors(folder / "model.safetensors", weights)
    write_modules(folder, ["Transformer", "Pooling", "Dense", "Dense", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(GEMMA.width, "mean"))
    for name, inputs, outputs in (("2_Dense", GEMMA.width, 128), ("3_Dense", 128, GEMMA.width)):
        seed = f"gemma3-embedding/{name}"
        write_dense(folder / name, seed, inputs, outputs, activation=IDENTITY, bias=False)
    prompts = {"query": "task: search result | query: ", "document": "title: none | text: "}
    write_prompts(folder, prompts)


SOUND = (qwen3_embedding, gte_qwen2, llama_mean, mistral_last, gemma3_embedding)
