"""Long texts: nobody else waits for them, and none is read further than it must be."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from stelae.engines.text.tokenizer import FileTokenizer
from stelae.types import Truncate

ROOM = 8
LONG = "stone," * 200_000
"""No place to cut it, so it is read whole."""


@pytest.fixture
def tokenizer(tmp_path: Path) -> FileTokenizer:
    made = Tokenizer(models.WordLevel({"[U]": 0, "stone": 1, ",": 2, "[S]": 3}, unk_token="[U]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = TemplateProcessing(single="[S] $A", special_tokens=[("[S]", 3)])
    made.save(str(tmp_path / "tokenizer.json"))
    return FileTokenizer(tmp_path / "tokenizer.json")


@pytest.fixture
def no_switches() -> Iterator[None]:
    """A thread goes on only when another one lets it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("no_switches")
def test_other_threads_go_on_while_a_long_text_is_read(tokenizer: FileTokenizer) -> None:
    go, seen = threading.Event(), []

    def other() -> None:
        go.wait()
        seen.append("went on")

    thread = threading.Thread(target=other)
    thread.start()
    go.set()
    tokenizer.read([LONG], ROOM, Truncate.END)
    during = list(seen)
    thread.join()
    assert during == ["went on"]


@pytest.mark.parametrize("truncate", list(Truncate))
def test_long_text_is_read_only_as_far_as_needed(
    tokenizer: FileTokenizer, truncate: Truncate
) -> None:
    (ids,) = tokenizer.read(["stone " * 100_000], ROOM, truncate)
    assert ROOM < len(ids) < 100 * ROOM


@pytest.mark.parametrize("truncate", list(Truncate))
def test_long_text_of_few_tokens_is_read_whole(
    tokenizer: FileTokenizer, truncate: Truncate
) -> None:
    text = f"stone {'k' * 5000} stone"
    assert tokenizer.read([text], ROOM, truncate) == [[1, 0, 1]]
