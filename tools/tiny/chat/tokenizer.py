"""The tokenizer of the small chat model: bytes, and merges learned from its conversations.

Unlike the library's trainer this one breaks ties by the letters, so that the same texts
always give the same merges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

from tiny.bpe import QWEN_SPLIT, byte_letters, byte_level
from tiny.files import write_json

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKERS = (
    "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)  # fmt: skip
"""Tokens of their own that stay visible in the text."""

SIZE = 1024
"""Tokens in all."""

Pair = tuple[str, str]


def pieces(texts: Iterable[str]) -> Counter[str]:
    """How often each piece stands in the texts, bytes written as letters."""
    cut = pre_tokenizers.Sequence([
        *(pre_tokenizers.Split(token, "removed") for token in (*SPECIALS, *MARKERS)),
        pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    return Counter(piece for text in texts for piece, _ in cut.pre_tokenize_str(text))


def learned_merges(counts: Counter[str], wanted: int) -> list[Pair]:
    """Merges that make the most frequent neighbours one token, again and again."""
    split = {piece: tuple(piece) for piece in counts}
    merges: list[Pair] = []
    while len(merges) < wanted:
        pairs: Counter[Pair] = Counter()
        for piece, parts in split.items():
            for pair in pairwise(parts):
                pairs[pair] += counts[piece]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        split = {piece: _merged(parts, best) for piece, parts in split.items()}
    return merges


def _merged(parts: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    made: list[str] = []
    for part in parts:
        if made and (made[-1], part) == pair:
            made[-1] += part
        else:
            made.append(part)
    return tuple(made)


def write_tokenizer(folder: Path, texts: Iterable[str], template: str, length: int) -> None:
    """Write a tokenizer in the layout of Qwen3.

    Args:
        folder: The checkpoint.
        texts: What merges are learned from.
        template: How conversations are written.
        length: Most tokens that the model reads.
    """
    room = SIZE - len(byte_letters()) - len(SPECIALS) - len(MARKERS)
    merges = learned_merges(pieces(texts), room)
    content, _ = byte_level(QWEN_SPLIT, SPECIALS, merges=merges, markers=MARKERS, nfc=True)
    settings = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": None,
        "chat_template": template,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "model_max_length": length,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    write_json(folder / "tokenizer.json", content)
    write_json(folder / "tokenizer_config.json", settings)
