"""GLiNER checkpoints whose words other packages tell; the package here is a stand-in."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fix_engine import answer
from gliner import GLiNER

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import UnsupportedCheckpoint
from stelae.types import ComputeDtype, ExtractCall, Item

LABELS = ("person", "good thing")
TEXTS = ("Anna-Maria was in Berlin.", "stone", "the_river bank holds")

PACKAGE = """
class MeCab:
    def morphs(self, text):
        if "plague" in text:
            raise ValueError("no such word")
        parts = text.replace("-", " - ").split()
        return [part.upper() if part == "lost" else part for part in parts]
"""
"""Cuts at spaces and hyphens alone, changes one word so that it is not found, dislikes another."""


@pytest.fixture
def folder(zoo: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(zoo / "gliner-span", tmp_path / "words")
    file = folder / "gliner_config.json"
    config = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(config | {"words_splitter_type": "mecab"}), "utf-8")
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package is there for a while."""
    home = tmp_path / "packages"
    home.mkdir()
    (home / "mecab.py").write_text(PACKAGE, "utf-8")
    monkeypatch.syspath_prepend(home)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("mecab", None)


def load(folder: Path) -> AnyEngine:
    spec = Catalog([ModelEntry(name="words", source=str(folder))]).spec("words")
    options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
    return registry.load(registry.choose(spec).manifest, spec, options)


def asked(*texts: str) -> ExtractCall:
    items = [Item(text=text) for text in texts]
    return ExtractCall(model="words", items=items, labels=LABELS, threshold=0.3)


@pytest.mark.usefixtures("package")
def test_names_are_made_of_the_words_of_the_package(folder: Path) -> None:
    theirs: Any = GLiNER.from_pretrained(
        str(folder), local_files_only=True, resize_token_embeddings=False
    )
    result = answer(load(folder), asked(*TEXTS))
    assert any(item.entities for item in result.items)
    for text, item in zip(TEXTS, result.items, strict=True):
        expected = theirs.predict_entities(text, list(LABELS), threshold=0.3)
        assert [(e.start, e.end, e.label) for e in item.entities] == [
            (e["start"], e["end"], e["label"]) for e in expected
        ]
        for ours, its in zip(item.entities, expected, strict=True):
            assert ours.score == pytest.approx(its["score"], abs=2e-5)


@pytest.mark.usefixtures("package")
def test_word_that_is_not_in_the_text_is_left_out(folder: Path) -> None:
    text = "Anna lost Berlin"
    entities = answer(load(folder), asked(text)).items[0].entities
    assert entities
    assert all(entity.text == text[entity.start : entity.end] != "" for entity in entities)


@pytest.mark.usefixtures("package")
def test_text_that_the_package_cannot_read_fails_alone(folder: Path) -> None:
    engine = load(folder)
    result = answer(engine, asked("Anna was in Berlin", "a plague", "Anna was in Berlin"))
    assert list(result.errors) == [1]
    assert "mecab cannot cut" in result.errors[1].message
    assert result.items[0] == result.items[2]


def test_package_that_is_absent_is_named(folder: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="python-mecab-ko must be installed") as caught:
        load(folder)
    assert caught.value.hint == "pip install python-mecab-ko"


def test_splitter_that_nobody_knows_is_refused(folder: Path) -> None:
    file = folder / "gliner_config.json"
    config = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(config | {"words_splitter_type": "axe"}), "utf-8")
    with pytest.raises(UnsupportedCheckpoint, match="'axe'; implemented: whitespace, spacy"):
        load(folder)
