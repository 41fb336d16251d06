"""Tokenizers of decoders, with the settings that are published beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny.bpe import GPT_SPLIT, QWEN_SPLIT, byte_level, with_byte_fallback
from tiny.files import write_json

LENGTH = 512

QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
LLAMA_SPECIALS = ("<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>")
MISTRAL_SPECIALS = ("<unk>", "<s>", "</s>")
GEMMA_SPECIALS = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")


def write_qwen_tokenizer(folder: Path, *, after: str, **settings: Any) -> int:
    """Write the tokenizer of the Qwen family; ``after`` closes each text."""
    content, vocabulary = byte_level(QWEN_SPLIT, QWEN_SPECIALS, after=after, nfc=True)
    shared = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "model_max_length": LENGTH,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    write_json(folder / "tokenizer.json", content)
    write_json(folder / "tokenizer_config.json", shared | settings)
    return -(-vocabulary // 64) * 64  # more rows than tokens, as large models have it


def write_llama_tokenizer(folder: Path) -> int:
    """Write the tokenizer of the Llama 3 family, which opens each text."""
    content, vocabulary = byte_level(GPT_SPLIT, LLAMA_SPECIALS, before="<|begin_of_text|>")
    settings = {
        "bos_token": "<|begin_of_text|>",
        "clean_up_tokenization_spaces": True,
        "eos_token": "<|end_of_text|>",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": LENGTH,
        "pad_token": "<|finetune_right_pad_id|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(folder / "tokenizer.json", content)
    write_json(folder / "tokenizer_config.json", settings)
    return vocabulary


def write_mistral_tokenizer(folder: Path) -> int:
    """Write the tokenizer of E5-Mistral, which opens and closes each text."""
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    steps = [{"type": "Prepend", "prepend": "▁"}, spaces]
    content, vocabulary = with_byte_fallback(
        MISTRAL_SPECIALS,
        before="<s>",
        after="</s>",
        reading={"normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": None},
        unknown="<unk>",
    )
    settings = {
        "bos_token": "<s>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "</s>",
        "model_max_length": LENGTH,
        "pad_token": "</s>",
        "padding_side": "left",
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    }
    write_json(folder / "tokenizer.json", content)
    write_json(folder / "tokenizer_config.json", settings)
    return vocabulary


def write_gemma_tokenizer(folder: Path) -> int:
    """Write the tokenizer of the Gemma family, which opens and closes each text."""
    content, vocabulary = with_byte_fallback(
        GEMMA_SPECIALS,
        before="<bos>",
        after="<eos>",
        reading={
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"String": " "},
                "behavior": "MergedWithPrevious",
                "invert": False,
            },
        },
        unknown="<unk>",
    )
    settings = {
        "add_bos_token": True,
        "add_eos_token": True,
        "bos_token": "<bos>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<eos>",
        "mask_token": "<mask>",
        "model_max_length": LENGTH,
        "pad_token": "<pad>",
        "tokenizer_class": "GemmaTokenizer",
        "unk_token": "<unk>",
    }
    write_json(folder / "tokenizer.json", content)
    write_json(folder / "tokenizer_config.json", settings)
    return vocabulary


def token_id(folder: Path, token: str) -> int:
    """Id of a token in the ``tokenizer.json`` that was written."""
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    added = {entry["content"]: entry["id"] for entry in content["added_tokens"]}
    number: int = (content["model"]["vocab"] | added)[token]
    return number
