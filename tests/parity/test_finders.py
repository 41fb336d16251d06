"""What is found in texts, beside what the models' own libraries find in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gliner.model
import pytest
from fix_engine import answer
from gliner import GLiNER

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.types import ComputeDtype, ExtractCall, ExtractResult, Item

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
LABELS = ("person", "place", "good thing")
NAMES = ("gliner-span", "gliner-token", "gliner-bi")
TEXTS = (
    "Anna was in Berlin and London.",
    "The king made a tablet of stone in Ur for his people, who were many.",
    "Stone",
    "A query about clay: can the river-bank hold 12 houses (or more)?\r\n\tYes.",
    "He said that they would write it down; she read the letter to him at the "
    "house of music, over the road, in London.",
)
TOLERANCE = 2e-5


@pytest.fixture
def library(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """The library's own model; its tokenizers of labels lie in the folder, not on the hub."""
    plain = gliner.model.AutoTokenizer.from_pretrained

    def find(name: str, **options: Any) -> Any:
        folder = zoo / "gliner-bi" / "labels_encoder"
        return plain(folder if name == "nobody/no-such-labels" else name, **options)

    monkeypatch.setattr(gliner.model.AutoTokenizer, "from_pretrained", find)
    return lambda name: GLiNER.from_pretrained(
        str(zoo / name), local_files_only=True, resize_token_embeddings=False
    )


@cache
def engine_of(zoo: Path, name: str) -> AnyEngine:
    spec = Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)
    return registry.load(registry.choose(spec).manifest, spec, OPTIONS)


def found(zoo: Path, name: str, texts: Sequence[str], **options: Any) -> ExtractResult:
    options.setdefault("labels", LABELS)
    call = ExtractCall(model=name, items=[Item(text=text) for text in texts], **options)
    result: ExtractResult = answer(engine_of(zoo, name), call)
    assert not result.errors
    return result


def rows(result: ExtractResult, index: int) -> list[tuple[int | None, int | None, str]]:
    return [(e.start, e.end, e.label) for e in result.items[index].entities]


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_the_library(
    zoo: Path, library: Callable[[str], Any], name: str, threshold: float, nested: bool
) -> None:
    result = found(zoo, name, TEXTS, threshold=threshold, nested=nested)
    theirs = library(name)
    for index, text in enumerate(TEXTS):
        expected = theirs.predict_entities(
            text, list(LABELS), threshold=threshold, flat_ner=not nested
        )
        assert rows(result, index) == [(e["start"], e["end"], e["label"]) for e in expected]
        for ours, its in zip(result.items[index].entities, expected, strict=True):
            assert ours.score == pytest.approx(its["score"], abs=TOLERANCE)
            assert ours.text == its["text"] == text[ours.start : ours.end]
