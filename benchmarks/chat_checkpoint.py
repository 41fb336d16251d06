"""A language model of 159 million random numbers, as a folder and as a GGUF file."""

from __future__ import annotations

import json
import sys
from itertools import islice, product
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks import checkpoint

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from tiny.bpe import QWEN_SPLIT, byte_letters  # beside the benchmarks, no package
from tiny.gguf import write_gguf

FOLDER = checkpoint.CACHE / "chat-159m"
GGUF = checkpoint.CACHE / "chat-159m-f16" / "model.gguf"
VOCABULARY = 32_000
END = "<|im_end|>"
START = "<|im_start|>"

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CONFIG = Qwen3Config(
    vocab_size=VOCABULARY,
    hidden_size=1024,
    num_hidden_layers=10,
    num_attention_heads=16,
    num_key_value_heads=8,
    head_dim=64,
    intermediate_size=3072,
    max_position_embeddings=4096,
    tie_word_embeddings=True,
    bos_token_id=None,
    eos_token_id=VOCABULARY - 1,
)


def folder() -> Path:
    """The checkpoint; written the first time."""
    if not (FOLDER / "ready").exists():
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(CONFIG)
        model.to(torch.float16).save_pretrained(FOLDER)
        (FOLDER / "tokenizer.json").write_text(json.dumps(_tokenizer()))
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END,
            "chat_template": TEMPLATE,
            "model_max_length": 4096,
        }
        (FOLDER / "tokenizer_config.json").write_text(json.dumps(settings))
        (FOLDER / "ready").touch()
    return FOLDER


def gguf() -> Path:
    """The same numbers in f16, as one file; written the first time."""
    if not GGUF.exists():
        GGUF.parent.mkdir(parents=True, exist_ok=True)
        write_gguf(folder(), GGUF, "f16")
    return GGUF


def _tokenizer() -> dict[str, object]:
    """Bytes, pairs of them, and two marks."""
    letters = list(byte_letters())
    pairs = list(islice(product(letters, letters), VOCABULARY - len(letters) - 2))
    words = [*letters, *("".join(pair) for pair in pairs)]
    marks = [
        {"id": len(words) + i, "content": mark, "special": True, "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False}
        for i, mark in enumerate((START, END))
    ]  # fmt: skip
    split = {"type": "Split", "pattern": {"Regex": QWEN_SPLIT}, "behavior": "Isolated",
             "invert": False}  # fmt: skip
    cut = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
           "use_regex": False}  # fmt: skip
    return {
        "version": "1.0",
        "added_tokens": marks,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, cut]},
        "decoder": cut,
        "model": {
            "type": "BPE",
            "vocab": {word: i for i, word in enumerate(words)},
            "merges": [list(pair) for pair in pairs],
        },
    }
