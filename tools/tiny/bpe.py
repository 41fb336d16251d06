"""BPE tokenizers with merges written by hand: on bytes, and on characters with bytes behind.

Every word of a short list has a chain of merges, one letter at a time; all other text
falls back to letters or bytes, so nothing is ever unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tiny.wordpiece import TEXT

ANSWERS = ("yes", "no")

GPT_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Llama 3 cuts a text before it merges."""

QWEN_SPLIT = GPT_SPLIT.replace("{1,3}", "")
"""The same with single digits."""


def byte_letters() -> list[str]:
    """A visible letter for each byte, as byte-level tokenizers write them."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(b) if b in shown else chr(256 + hidden.index(b)) for b in range(256)]


def merges_of(words: Iterable[str]) -> list[tuple[str, str]]:
    """The merges that build each word from its letters, left to right, none twice."""
    steps = [(word[:i], word[i]) for word in words for i in range(1, len(word))]
    return list(dict.fromkeys(steps))


def words(space: str) -> list[str]:
    """Words that become one token, with and without a space before them."""
    return [*(space + word for word in TEXT.split()), *ANSWERS, *(space + a for a in ANSWERS)]


def byte_level(
    split: str,
    specials: Sequence[str],
    *,
    before: str = "",
    after: str = "",
    nfc: bool = False,
    merges: Sequence[tuple[str, str]] = (),
    markers: Sequence[str] = (),
) -> tuple[dict[str, Any], int]:
    """``tokenizer.json`` of the GPT kind, special tokens last.

    Args:
        split: Where texts are cut before merging, a regular expression.
        specials: Special tokens.
        before: The one that opens each text, if any.
        after: The one that closes each text, if any.
        nfc: Whether texts are normalised.
        merges: In place of those of the short list.
        markers: Tokens after the special ones that are shown in texts.

    Returns:
        Content of the file, and the size of the vocabulary.
    """
    merges = merges or merges_of(words("Ġ"))
    tokens = [*byte_letters(), *(left + right for left, right in merges)]
    byte = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    cuts = {"pattern": {"Regex": split}, "behavior": "Isolated", "invert": False}
    content = _file(tokens, merges, specials, len(tokens), markers) | {
        "normalizer": {"type": "NFC"} if nfc else None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Split", **cuts}, {"type": "ByteLevel", **byte}],
        },
        "post_processor": {
            "type": "Sequence",
            "processors": [
                {"type": "ByteLevel", **byte},
                _frame(before, after, len(tokens), specials),
            ],
        },
        "decoder": {"type": "ByteLevel", **byte},
    }
    return content, len(tokens) + len(specials) + len(markers)


def with_byte_fallback(
    specials: Sequence[str], *, before: str, after: str, reading: dict[str, Any], unknown: str
) -> tuple[dict[str, Any], int]:
    """``tokenizer.json`` of the SentencePiece kind, special tokens first.

    Args:
        specials: Special tokens.
        before: The one that opens each text.
        after: The one that closes each text.
        reading: Normalizer and pre-tokenizer.
        unknown: The token that is never needed, since there are bytes.

    Returns:
        Content of the file, and the size of the vocabulary.
    """
    merges = merges_of(words("▁"))
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = sorted({letter for word in words("▁") for letter in word})
    tokens = [*specials, *fallback, *letters, *(left + right for left, right in merges)]
    content = _file(tokens, merges, specials, first=0)
    content["model"] |= {"byte_fallback": True, "fuse_unk": True, "unk_token": unknown}
    return content | reading | {
        "post_processor": _frame(before, after, 0, specials),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
    }, len(tokens)  # fmt: skip


def _file(
    tokens: Sequence[str],
    merges: Sequence[tuple[str, str]],
    specials: Sequence[str],
    first: int,
    markers: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": first + i, "content": token, "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": token in specials,
            }
            for i, token in enumerate([*specials, *markers])
        ],
        "normalizer": None,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [list(merge) for merge in merges],
        },
    }  # fmt: skip


def _frame(before: str, after: str, first: int, specials: Sequence[str]) -> dict[str, Any]:
    """Special tokens around a text; around two, each has its own."""
    used = [token for token in (before, after) if token]
    single, second = (_around(before, after, name, kind) for name, kind in (("A", 0), ("B", 1)))
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *second],
        "special_tokens": {
            token: {"id": token, "ids": [first + specials.index(token)], "tokens": [token]}
            for token in used
        },
    }


def _around(before: str, after: str, name: str, kind: int) -> list[dict[str, Any]]:
    text = {"Sequence": {"id": name, "type_id": kind}}
    ends = [{"SpecialToken": {"id": token, "type_id": kind}} for token in (before, after)]
    return [*ends[:1] * bool(before), text, *ends[1:] * bool(after)]
