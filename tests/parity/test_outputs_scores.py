"""Scores of cross-encoders through the engine against ``CrossEncoder.predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_outputs import FAMILIES, LIMIT, assert_close, engine_of, saved, score
from sentence_transformers import CrossEncoder

QUERIES = ["where is the stone?", "", "a long river " * 30]
DOCUMENTS = [
    "The stone tablet of Ur.",
    "",
    "one two three " * 60,
    "a",
    "stone " * 16,
    "naïve 中文 Σ 12.5% [SEP] </s> x",
]
"""Short and empty texts, texts over the limit, and such that are so only together."""


def library_of(folder: Path) -> Any:
    return CrossEncoder(str(folder), device="cpu", local_files_only=True)


def assert_equal(folder: Path, **options: Any) -> None:
    """All pairs have the library's scores, logits, token counts and cuts."""
    library, engine = library_of(folder), engine_of(folder)
    for query in QUERIES:
        pairs = [(query, document) for document in DOCUMENTS]
        ours = score(engine, query, DOCUMENTS)
        assert_close(ours.scores, library.predict(pairs))
        logits = library.predict(pairs, activation_fn=torch.nn.Identity())
        assert_close(score(engine, query, DOCUMENTS, normalize=False).scores, logits)
        read = [library.preprocess([pair])["input_ids"].numel() for pair in pairs]
        assert ours.tokens.tolist() == read
        whole = [len(library.tokenizer(*pair)["input_ids"]) for pair in pairs]
        assert ours.truncated.tolist() == [count > LIMIT for count in whole]
        assert max(read) == LIMIT


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_equal_the_library(zoo: Path, tmp_path: Path, family: str, labels: int) -> None:
    kind = FAMILIES[family]
    folder = saved(zoo, tmp_path, kind, "ForSequenceClassification", num_labels=labels)
    assert_equal(folder)
