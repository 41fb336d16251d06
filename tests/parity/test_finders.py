"""What is found in texts, beside what the models' own libraries find in them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import gliner.model
import pytest
import torch
from fix_engine import answer, prepared_of
from gliner import GLiNER
from torch.nn.modules.module import register_module_forward_hook

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import InvalidInput
from stelae.types import ComputeDtype, ExtractCall, ExtractResult, Item

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
LABELS = ("person", "place", "good thing")
NAMES = ("gliner-span", "gliner-token", "gliner-bi", "gliner-bi-token")
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
    assert threshold > 0.5 or any(item.entities for item in result.items)
    theirs = library(name)
    for index, text in enumerate(TEXTS):
        expected = theirs.predict_entities(
            text, list(LABELS), threshold=threshold, flat_ner=not nested
        )
        assert rows(result, index) == [(e["start"], e["end"], e["label"]) for e in expected]
        for ours, its in zip(result.items[index].entities, expected, strict=True):
            assert ours.score == pytest.approx(its["score"], abs=TOLERANCE)
            assert ours.text == its["text"] == text[ours.start : ours.end]


NASTY = (
    "Zu\u0308rich und \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 Anna\u202e Berlin",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 Anna\ufe0f, \U0001f1eb\U0001f1f7 Ur \u0301x",
    "\r\n\tAnna\u00a0was\u2028in\r\nBerlin\t\t\u200bLondon\ufeff",
    "\u4e2d\u6587 Ur \u4e2dStone\u6587 e\u0301e\u0301 \ufb03 \ufdfa end",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", NASTY)
def test_places_are_those_of_the_callers_own_string(zoo: Path, name: str, text: str) -> None:
    entities = found(zoo, name, [text], threshold=0.05).items[0].entities
    assert entities
    for entity in entities:
        assert entity.start is not None
        assert text[entity.start : entity.end] == entity.text
        assert entity.text.strip() == entity.text != ""


@pytest.mark.parametrize("name", NAMES)
def test_letters_that_the_tokenizer_drops_move_no_name(zoo: Path, name: str) -> None:
    plain = "Anna was in Berlin and London."
    spoiled = "\ufeff Anna was \u200b in Berlin and \u200d London."
    expected = found(zoo, name, [plain]).items[0].entities
    marked = found(zoo, name, [spoiled]).items[0].entities
    assert [(e.text.split()[0], e.label) for e in marked] == [
        (e.text.split()[0], e.label) for e in expected
    ]


@pytest.mark.parametrize("name", NAMES)
def test_company_changes_nothing(zoo: Path, name: str) -> None:
    together = found(zoo, name, TEXTS * 5)
    for index, text in enumerate(TEXTS):
        alone = found(zoo, name, [text])
        assert rows(alone, 0) == rows(together, index) == rows(together, index + len(TEXTS))
        for one, other in zip(alone.items[0].entities, together.items[index].entities, strict=True):
            assert one.score == pytest.approx(other.score, abs=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_long_text_has_all_that_its_windows_have(zoo: Path, name: str) -> None:
    """Every name of a window is there, or a surer one has some of its letters."""
    text = " ".join(TEXTS * 8)
    engine = engine_of(zoo, name)
    call = ExtractCall(model=name, items=[Item(text=text)], labels=LABELS)
    windows = [p.features for p in prepared_of(engine, call) if p.features is not None]
    assert len(windows) > 10
    kept = found(zoo, name, [text]).items[0].entities
    assert all(one.end <= two.start for one, two in pairwise(kept))
    for row in engine.run(windows):
        names = row.names
        for start, end, score in zip(names.starts, names.ends, names.scores, strict=True):
            near = [e for e in kept if e.start < end and start < e.end]
            assert max(e.score for e in near) >= score - TOLERANCE


def test_words_of_neighbouring_windows_overlap_by_the_longest_name(zoo: Path) -> None:
    text = " ".join(TEXTS * 8)
    call = ExtractCall(model="x", items=[Item(text=text)], labels=LABELS)
    prepared = prepared_of(engine_of(zoo, "gliner-span"), call)
    windows = [p.features for p in prepared if p.features is not None]
    shared = [len({*a.starts} & {*b.starts}) for a, b in pairwise(windows)]
    assert min(shared) >= 4  # max_width of the checkpoint
    starts = {int(start) for window in windows for start in window.starts}
    assert starts == {match.start() for match in re.finditer(r"\w+(?:[-_]\w+)*|\S", text)}


RELATIONS = ("lives in", "makes")
Link = tuple[int, int, str, int, int]


def links(result: ExtractResult, index: int) -> dict[Link, float]:
    return {
        (*(r.head_span or ()), r.relation, *(r.tail_span or ())): r.score
        for r in result.items[index].relations
    }


def related(theirs: Any, text: str, threshold: float) -> tuple[dict[Link, float], int, bool]:
    """Relations by the library's own numbers, how many, and whether it tells the same.

    The library numbers names before some give way to others, and looks the numbers up
    among those left; here they are looked up where they belong.
    """
    seen: list[Any] = []
    hook = theirs.model.register_forward_hook(lambda _module, _inputs, made: seen.append(made))
    names, told = theirs.inference([text], list(LABELS), list(RELATIONS), threshold=threshold)
    hook.remove()
    made = seen[0]
    places = [(start, end) for _, start, end in theirs.data_processor.words_splitter(text)]
    sure = torch.sigmoid(made.logits[0]).amax(-1) > threshold
    chosen = [
        (places[first][0], places[first + more][1])
        for first, more in sure.nonzero().tolist()
        if first + more < len(places)
    ]
    kept = {(name["start"], name["end"]) for name in names[0]}
    found: dict[Link, float] = {}
    scores = torch.sigmoid(made.rel_logits[0])
    for pair, row, real in zip(made.rel_idx[0], scores, made.rel_mask[0], strict=True):
        for relation, score in zip(RELATIONS, row.tolist(), strict=True):
            if real and score > threshold:
                head, tail = (chosen[int(i)] for i in pair)
                if head in kept and tail in kept:
                    found[(*head, relation, *tail)] = score
    same = len(chosen) == len(kept)
    return found, len(told[0]), same


@pytest.mark.parametrize("threshold", [0.2, 0.3, 0.45, 0.5])
def test_relations_are_those_of_the_library(
    zoo: Path, library: Callable[[str], Any], threshold: float
) -> None:
    result = found(zoo, "gliner-relations", TEXTS, threshold=threshold, relations=RELATIONS)
    agreed = 0
    for index, text in enumerate(TEXTS):
        expected, told, same = related(library("gliner-relations"), text, threshold)
        assert links(result, index) == pytest.approx(expected, abs=TOLERANCE)
        assert len(expected) == told or not same
        agreed += len(expected)
    assert agreed


def test_relations_join_names_that_were_found(zoo: Path) -> None:
    texts = ["Anna was in Berlin and London. " * 6, *TEXTS]
    result = found(zoo, "gliner-relations", texts, threshold=0.2, relations=RELATIONS)
    for text, item in zip(texts, result.items, strict=True):
        places = {(e.start, e.end) for e in item.entities}
        scores = [relation.score for relation in item.relations]
        assert scores == sorted(scores, reverse=True)
        for relation in item.relations:
            assert {relation.head_span, relation.tail_span} <= places
            assert relation.head_span is not None
            assert text[slice(*relation.head_span)] == relation.head
            assert relation.tail_span is not None
            assert text[slice(*relation.tail_span)] == relation.tail
    assert any(item.relations for item in result.items)


def test_names_alone_need_no_relations(zoo: Path, library: Callable[[str], Any]) -> None:
    result = found(zoo, "gliner-relations", TEXTS)
    assert any(item.entities for item in result.items)
    for index, text in enumerate(TEXTS):
        expected = library("gliner-relations").inference([text], list(LABELS), [])[0][0]
        assert rows(result, index) == [(e["start"], e["end"], e["label"]) for e in expected]
        assert result.items[index].relations == ()


def ran(zoo: Path, **options: Any) -> set[str]:
    """Classes of the modules that run for a call to the model that finds relations."""
    seen: set[str] = set()
    engine_of(zoo, "gliner-relations")
    hook = register_module_forward_hook(lambda module, *_: seen.add(type(module).__name__))
    found(zoo, "gliner-relations", TEXTS, threshold=0.2, **options)
    hook.remove()
    return seen


def test_relations_are_computed_where_they_are_asked_for(zoo: Path) -> None:
    assert "RelationsRepLayer" in ran(zoo, relations=RELATIONS)
    assert "RelationsRepLayer" not in ran(zoo)


WIDTH = 4
"""Words of the longest name of the small checkpoints."""


def places_of(words: int) -> int:
    """Places of at most so many words in a text of one window; at no threshold all are names."""
    return sum(words - more for more in range(WIDTH))


@pytest.mark.parametrize("words", [26, 28])
def test_pairs_that_are_not_looked_at_are_counted(zoo: Path, words: int) -> None:
    texts = ["stone " * words, "Anna was in Berlin."]
    result = found(zoo, "gliner-relations", texts, threshold=0.0, relations=RELATIONS)
    places = places_of(words)
    left = places * (places - 1) - min(places, 100) * (min(places, 100) - 1)
    assert result.items[0].data == ({"left_out": {"pairs": left}} if left else {})
    assert result.truncated.tolist() == [left > 0, False]
    assert result.items[1].data == {}
    assert (left > 0) == (words == 28)


def test_places_that_are_too_many_are_counted(zoo: Path) -> None:
    labels = tuple(f"kind {i}" for i in range(19))
    result = found(zoo, "gliner-span", ["stone " * 28], labels=labels, threshold=0.0)
    assert result.items[0].data == {"left_out": {"names": 19 * places_of(28) - 2_000}}
    assert result.truncated.tolist() == [True]


def test_label_is_not_cut_where_labels_are_read_apart(zoo: Path) -> None:
    call = ExtractCall(model="x", items=[Item(text="Ur")], labels=("stone", "clay " * 70))
    with pytest.raises(InvalidInput, match=r"a label is 72 tokens, and the encoder .* reads 64"):
        engine_of(zoo, "gliner-bi").open(call)


def test_lowest_threshold_ends_in_time(zoo: Path) -> None:
    """At no threshold at all every place is a name, and every two of them a pair."""
    text = " ".join(TEXTS)
    result = found(zoo, "gliner-relations", [text], threshold=0.0, relations=RELATIONS, nested=True)
    assert result.items[0].entities


@pytest.mark.parametrize("name", [*NAMES, "gliner-relations"])
def test_half_the_bits_give_nearly_the_same_scores(zoo: Path, name: str) -> None:
    spec = engine_of(zoo, name).spec  # type: ignore[attr-defined]
    half = EngineOptions(dtype=ComputeDtype.BFLOAT16, device=Device.CPU, threads=1)
    engine = registry.load(registry.choose(spec).manifest, spec, half)
    call = ExtractCall(
        model=name,
        items=[Item(text=text) for text in TEXTS],
        labels=LABELS,
        threshold=0.2,
        nested=True,
        multi_label=True,
    )
    scores, rough = (
        {(i, e.start, e.end, e.label): e.score for i, x in enumerate(r.items) for e in x.entities}
        for r in (answer(engine_of(zoo, name), call), answer(engine, call))
    )
    shared = scores.keys() & rough.keys()
    assert len(shared) > 0.6 * len(scores) > 0
    apart = sorted(abs(scores[place] - rough[place]) for place in shared)
    assert apart[len(apart) // 2] < 0.03


def test_tokenizer_of_labels_is_part_of_what_is_served(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "gliner-bi", tmp_path / "copy")
    plain = engine_of(zoo, "gliner-bi").info.fingerprint
    assert engine_of(tmp_path, "copy").info.fingerprint == plain
    engine_of.cache_clear()
    file = folder / "labels_encoder" / "tokenizer.json"
    file.write_text(file.read_text("utf-8") + "\n", "utf-8")
    assert engine_of(tmp_path, "copy").info.fingerprint != plain


def test_call_with_many_labels_is_prepared_aside(zoo: Path) -> None:
    engine = engine_of(zoo, "cross-encoder-labels")
    few, many = (
        ExtractCall(model="x", items=[Item(text="a")], labels=tuple(f"kind {i}" for i in range(n)))
        for n in (3, 900)
    )
    assert engine.open(few).light
    assert not engine.open(many).light
