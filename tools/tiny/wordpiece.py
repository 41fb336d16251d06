"""A WordPiece tokenizer with a vocabulary written by hand."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

from tiny.files import write_json

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

TEXT = """
a about after all also an and are as at be because been before but by can cat city clay could day
dog end every first food for from good great had has have he her his house how i if in into is it
its king know large letter like little long made make man many may more most music my name new no
not now of old on one only or other out over passage people place play query red river road said
same search see she short simple small so some stone sun tablet text than that the their them then
there these they thing this time to tree two under up use very violin was water way we well were
what when where which who will with word work world would write year you your
"""


SUFFIXES = ("ed", "er", "es", "ing", "ion", "ly", "ment", "ness", "able", "ful", "less")

NAMES = ("Anna", "Berlin", "London", "Ur", "The", "He", "Stone")
"""Whole words with capital letters, for cased vocabularies."""


def vocabulary(*, cased: bool) -> list[str]:
    """Tokens in order of id: special ones, characters, their continuations, words."""
    letters = string.ascii_lowercase + (string.ascii_uppercase if cased else "")
    singles = [*letters, *string.digits, *string.punctuation, *"äéñßøčαβя中文"]
    continued = [f"##{c}" for c in [*letters, *string.digits, *"äéñßøčαβя"]]
    words = [word for word in TEXT.split() if len(word) > 1]
    names = list(NAMES) if cased else []
    endings = [f"##{suffix}" for suffix in SUFFIXES]
    return [*SPECIAL, *singles, *continued, *words, *names, *endings]


def write_wordpiece(folder: Path, *, cased: bool = False, max_length: int = 128) -> int:
    """Write the tokenizer files of a BERT checkpoint.

    Returns:
        Size of the vocabulary.
    """
    tokens = vocabulary(cased=cased)
    write_json(folder / "tokenizer.json", tokenizer(tokens, cased=cased))
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": not cased,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    write_json(folder / "tokenizer_config.json", settings)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    return len(tokens)


def tokenizer(tokens: list[str], *, cased: bool) -> dict[str, Any]:
    """Content of ``tokenizer.json``, padding and truncation set as some checkpoints have them."""
    cls, sep = tokens.index("[CLS]"), tokens.index("[SEP]")
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
        },
        "added_tokens": [_added(i, token) for i, token in enumerate(SPECIAL)],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": not cased,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [_special("[CLS]", 0), _sequence("A", 0), _special("[SEP]", 0)],
            "pair": [
                _special("[CLS]", 0), _sequence("A", 0), _special("[SEP]", 0),
                _sequence("B", 1), _special("[SEP]", 1),
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [cls], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [sep], "tokens": ["[SEP]"]},
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: i for i, token in enumerate(tokens)},
        },
    }  # fmt: skip


def _added(number: int, token: str) -> dict[str, Any]:
    return {
        "id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": True,
    }  # fmt: skip


def _special(token: str, kind: int) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": kind}}


def _sequence(name: str, kind: int) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": kind}}
