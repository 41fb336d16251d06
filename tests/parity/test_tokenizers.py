"""The tokenizer file as it stands against the tokenizer that transformers builds from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import zoo as checkpoints
from transformers import AutoTokenizer

from stelae.catalog.abilities import Classify
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import encoder
from stelae.engines.text.tokenizer import FileTokenizer
from stelae.types import Truncate

TEXTS = [
    "The King's stone tablets, ÄÖ zweimal Ünïcode 中文 Σίσυφος ΟΔΟΣ 1234 hello\0world",
    "a <mask> b</s> <pad>  <unk>[MASK] [CLS]x <s>NOTUSED [SEP]",
    "x <mask>  y[PAD] <|endoftext|> <bos><eos>",
    "  two  spaces\tand\n\nlines ",
    "\uff21\uff22\uff23 ﬁne… ``quoted'' ﾞ e\u0301 \u200bzero\u00a0width №½",
    "don't we'll it's 12,345.67",
    "ß İ \u017f \u07d9\u0000\ufffd 🚀👩‍👩‍👧",
    "a long river " * 40,
    "k" * 300,
]
SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]


@pytest.mark.parametrize("name", SOUND)
def test_ids_equal_those_of_transformers(zoo: Path, name: str) -> None:
    spec = Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)
    if (refusal := encoder.refuses(spec)) is not None:
        pytest.skip(refusal)
    if not spec.tokenizer or spec.lowercase:
        pytest.skip("reads no texts, or not as they stand")
    file = Path(spec.folder, spec.tokenizer)
    ours = FileTokenizer(file, pairs=Classify(labels=(), typed=False))
    theirs = AutoTokenizer.from_pretrained(file.parent)
    first, second = (ours.read([text], 1000, Truncate.END)[0] for text in ("river", "stone"))
    pair = theirs("river", "stone").input_ids
    assert [*ours.prefix, *first, *ours.middle, *second, *ours.suffix] == pair
    for text, ids in zip(TEXTS, ours.read(TEXTS, 1000, Truncate.END), strict=True):
        assert [*ours.prefix, *ids, *ours.suffix] == theirs(text).input_ids
