"""SentencePiece tokenizers of the unigram kind, with pieces and scores written by hand."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from tiny.charsmap import charsmap, replacements
from tiny.wordpiece import SUFFIXES, TEXT

SPACE = "▁"
CAPITALS = ("The", "Berlin", "King", "Zürich")


def pieces() -> list[str]:
    """Letters, word ends and whole words; a word starts with the sign for a space."""
    singles = [*string.ascii_letters, *string.digits, *string.punctuation, *"äéñßøčαβяü\u0301"]
    words = [SPACE + word for word in (*TEXT.split(), *CAPITALS)]
    return list(dict.fromkeys([SPACE, *singles, *SUFFIXES, *words]))


def scored(tokens: Sequence[str]) -> list[list[Any]]:
    """A score for each piece: few long ones before many short ones, and no two alike."""
    return [[token, -9.0 - i / 1024 + len(token) / 2] for i, token in enumerate(tokens)]


def precompiled() -> dict[str, Any]:
    """The normalizer that replaces characters."""
    return {"type": "Precompiled", "precompiled_charsmap": charsmap(replacements())}


def unigram(
    before: Sequence[str],
    after: Sequence[str],
    *,
    unknown: int,
    normalizer: dict[str, Any],
    frame: dict[str, Any],
) -> tuple[dict[str, Any], int]:
    """Content of ``tokenizer.json``, and the size of the vocabulary.

    Args:
        before: Special tokens with the first ids.
        after: Special tokens with the last ids; the last of them swallows a space.
        unknown: Id of the token for what no piece covers.
        normalizer: What happens to a text first.
        frame: What is put around a text.
    """
    shown = [[token, 0.0] for token in before]
    vocabulary = [*shown, *scored(pieces()), *([token, 0.0] for token in after)]
    ids = {token: i for i, (token, _) in enumerate(vocabulary)}
    spaces = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added(ids[token], token, swallows=token in after[-1:]) for token in (*before, *after)
        ],
        "normalizer": normalizer,
        "pre_tokenizer": {
            "type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, spaces],
        },
        "post_processor": frame,
        "decoder": spaces,
        "model": {
            "type": "Unigram", "unk_id": unknown, "vocab": vocabulary, "byte_fallback": False,
        },
    }  # fmt: skip
    return content, len(vocabulary)


def framed(single: Sequence[str], pair: Sequence[str], ids: dict[str, int]) -> dict[str, Any]:
    """What is put around one text and around two.

    Args:
        single: Special tokens and ``A``, each with its segment behind a colon.
        pair: The same for ``A`` and ``B``.
        ids: Ids of the special tokens.
    """
    return {
        "type": "TemplateProcessing",
        "single": [_part(part, ids) for part in single],
        "pair": [_part(part, ids) for part in pair],
        "special_tokens": {
            token: {"id": token, "ids": [number], "tokens": [token]}
            for token, number in ids.items()
        },
    }


def _part(part: str, ids: dict[str, int]) -> dict[str, Any]:
    name, _, kind = part.rpartition(":")
    inner = {"id": name, "type_id": int(kind)}
    return {"SpecialToken" if name in ids else "Sequence": inner}


def _added(number: int, token: str, *, swallows: bool) -> dict[str, Any]:
    return {
        "id": number, "content": token, "single_word": False, "lstrip": swallows,
        "rstrip": False, "normalized": False, "special": True,
    }  # fmt: skip
