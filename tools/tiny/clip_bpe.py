"""CLIP's tokenizer in small: bytes, word ends that know themselves, merges written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny.bpe import byte_letters
from tiny.files import write_json
from tiny.wordpiece import TEXT

START, END = "<|startoftext|>", "<|endoftext|>"
STOP = "</w>"
"""Behind the last letter of each word."""

SPLIT = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
"""What is kept of a text, piece by piece."""


def write_clip_bpe(folder: Path, words: Sequence[str] = (), length: int = 32) -> int:
    """Write the tokenizer files of a CLIP checkpoint.

    Args:
        folder: Where.
        words: Words that become one token, beside those of ``wordpiece.TEXT``.
        length: Longest text.

    Returns:
        Size of the vocabulary; its last two are the start and the end of a text.
    """
    whole = dict.fromkeys([*words, *TEXT.split()])
    merges = list(dict.fromkeys(step for word in whole for step in _steps(word)))
    letters = byte_letters()
    tokens = [*letters, *(c + STOP for c in letters), *(a + b for a, b in merges), START, END]
    write_json(folder / "tokenizer.json", tokenizer(tokens, merges))
    settings = {
        "bos_token": START,
        "clean_up_tokenization_spaces": True,
        "eos_token": END,
        "model_max_length": length,
        "pad_token": END,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": END,
    }
    write_json(folder / "tokenizer_config.json", settings)
    return len(tokens)


def _steps(word: str) -> list[tuple[str, str]]:
    """The merges that build a word from its letters, left to right."""
    letters = [*word[:-1], word[-1] + STOP]
    return [("".join(letters[:i]), letters[i]) for i in range(1, len(letters))]


def tokenizer(tokens: list[str], merges: list[tuple[str, str]]) -> dict[str, Any]:
    """Content of ``tokenizer.json``."""
    start, end = tokens.index(START), tokens.index(END)
    byte = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    spaces = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    cuts = {"pattern": {"Regex": SPLIT}, "behavior": "Removed", "invert": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": tokens.index(token), "content": token, "single_word": False,
                "lstrip": False, "rstrip": False, "normalized": False, "special": True,
            }
            for token in (START, END)
        ],
        "normalizer": {
            "type": "Sequence", "normalizers": [{"type": "NFC"}, spaces, {"type": "Lowercase"}],
        },
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", **cuts}, byte]},
        "post_processor": {
            "type": "RobertaProcessing", "sep": [END, end], "cls": [START, start],
            "trim_offsets": False, "add_prefix_space": False,
        },
        "decoder": byte,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": END, "continuing_subword_prefix": "",
            "end_of_word_suffix": STOP, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [list(merge) for merge in merges],
        },
    }  # fmt: skip
