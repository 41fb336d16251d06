"""Tokenizer files of one checkpoint that contradict each other, family by family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.spec import ModelSpec
from stelae.errors import UnsupportedCheckpoint

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

SPACED = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
BERT = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": False,
}
TURNED = {"type": "RobertaProcessing", "cls": ["</s>", 2], "sep": ["<s>", 0]}

CONTRADICTIONS: list[tuple[str, str, dict[str, Any], str]] = [
    ("roberta-mean", "tokenizer.json", {"pre_tokenizer": SPACED}, "add_prefix_space=True"),
    ("roberta-mean", "tokenizer_config.json", {"add_prefix_space": True}, "add_prefix_space=False"),
    ("roberta-mean", "tokenizer.json", {"normalizer": {"type": "NFC"}}, "['NFC']"),
    ("roberta-mean", "tokenizer.json", {"pre_tokenizer": {"type": "Split"}}, "'Split'"),
    ("roberta-mean", "tokenizer.json", {"post_processor": TURNED}, "post_processor"),
    ("mpnet-mean", "tokenizer.json", {"normalizer": BERT}, "lowercase=False"),
    ("mpnet-mean", "tokenizer_config.json", {"strip_accents": True}, "strip_accents"),
    ("mpnet-mean", "tokenizer_config.json", {"cls_token": "[CLS]"}, "post_processor"),
    ("xlm-roberta-mean", "tokenizer.json", {"normalizer": {"type": "Lowercase"}}, "Lowercase"),
    ("camembert-mean", "tokenizer.json", {"normalizer": {"type": "NFKC"}}, "NFKC"),
    ("albert-mean", "tokenizer_config.json", {"do_lower_case": False}, "Lowercase"),
    ("albert-mean", "tokenizer_config.json", {"keep_accents": True}, "StripAccents"),
    ("electra-cls", "tokenizer_config.json", {"do_lower_case": False}, "lowercase"),
]


@pytest.mark.parametrize(("name", "file", "changes", "part"), CONTRADICTIONS)
@pytest.mark.parametrize("named", [True, False])
def test_files_that_contradict_each_other_are_refused(
    edited: Edit,
    read: Read,
    name: str,
    file: str,
    changes: dict[str, Any],
    part: str,
    named: bool,
) -> None:
    folder = edited(name, file, **changes)
    if not named:  # the family then follows from the model's type
        edited(name, "tokenizer_config.json", tokenizer_class=None)
    with pytest.raises(UnsupportedCheckpoint) as caught:
        read(folder)
    assert part in str(caught.value)


@pytest.mark.parametrize(("name", "file", "changes", "part"), CONTRADICTIONS)
def test_a_tokenizer_that_is_taken_as_it_stands_cannot_contradict(
    edited: Edit, read: Read, name: str, file: str, changes: dict[str, Any], part: str
) -> None:
    del part
    edited(name, file, **changes)
    folder = edited(name, "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    assert read(folder).tokenizer == "tokenizer.json"


@pytest.mark.parametrize(
    ("normalizer", "name"),
    [
        (None, "roberta-mean"),
        (None, "xlm-roberta-mean"),
        ({"type": "Sequence", "normalizers": [{"type": "Strip"}]}, "xlm-roberta-mean"),
    ],
)
def test_steps_that_both_take_are_accepted(
    edited: Edit, read: Read, normalizer: dict[str, Any] | None, name: str
) -> None:
    folder = edited(name, "tokenizer.json", normalizer=normalizer)
    assert read(folder).tokenizer == "tokenizer.json"


def test_the_padding_token_in_the_config_of_mpnet_moves_no_position(
    edited: Edit, read: Read
) -> None:
    edited("mpnet-mean", "sentence_bert_config.json", max_seq_length=500)
    assert read(edited("mpnet-mean", "config.json", pad_token_id=0)).max_tokens == 128
