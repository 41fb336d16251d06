"""Tokenizers with RoBERTa's special tokens: its own on bytes, and MPNet's on words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny.bpe import byte_letters, merges_of, words
from tiny.files import write_json
from tiny.wordpiece import SPECIAL, tokenizer, vocabulary

FIRST = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"

FRAME = {
    "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
    "trim_offsets": True, "add_prefix_space": False,
}  # fmt: skip
"""``<s> text </s>``, and ``<s> text </s></s> text </s>`` for two."""


def write_bytes(folder: Path) -> int:
    """Write ``tokenizer.json`` of the RoBERTa kind: merges on bytes.

    Returns:
        Size of the vocabulary.
    """
    merges = merges_of(words("Ġ"))
    tokens = [*FIRST, *byte_letters(), *(left + right for left, right in merges), MASK]
    byte = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added(tokens),
        "normalizer": None,
        "pre_tokenizer": byte,
        "post_processor": FRAME,
        "decoder": byte,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [list(merge) for merge in merges],
        },
    }  # fmt: skip
    write_json(folder / "tokenizer.json", content)
    return len(tokens)


def write_words(folder: Path) -> int:
    """Write ``tokenizer.json`` of the MPNet kind: BERT's words, of whose special tokens one counts.

    Returns:
        Size of the vocabulary.
    """
    rest = [token for token in vocabulary(cased=False) if token not in SPECIAL or token == "[UNK]"]
    tokens = [*FIRST, *rest, MASK]
    content = tokenizer([*SPECIAL, *tokens], cased=False)
    content |= {"truncation": None, "padding": None, "post_processor": FRAME}
    content["added_tokens"] = added(tokens, "[UNK]")
    content["model"]["vocab"] = {token: i for i, token in enumerate(tokens)}
    write_json(folder / "tokenizer.json", content)
    return len(tokens)


def added(tokens: Sequence[str], *more: str) -> list[dict[str, Any]]:
    """The special tokens; the mask swallows the space before it."""
    return [
        {
            "id": tokens.index(token), "content": token, "single_word": False,
            "lstrip": token == MASK, "rstrip": False, "normalized": False, "special": True,
        }
        for token in (*FIRST, *more, MASK)
    ]  # fmt: skip
