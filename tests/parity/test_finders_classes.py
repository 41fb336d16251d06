"""Classes of texts, beside what the models' own libraries say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from fix_engine import answer, prepared_of
from gliclass.model import GLiClassModel
from gliclass.pipeline import UniEncoderZeroShotClassificationPipeline

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import InputTooLong, InvalidInput, from_info
from stelae.types import ComputeDtype, ExtractCall, ExtractResult, Item, ScoreCall, Truncate

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
LABELS = ("music", "water and stone", "the house of a king", "people")
TEXTS = (
    "The king made a tablet of stone for his people.",
    "Water",
    "She read the letter to him at the house of music, over the road, before the sun was up.",
    "one two three (and more?)\r\n\tYes.",
)
TOLERANCE = 2e-6
JUDGE = "cross-encoder-labels"


@cache
def engine_of(zoo: Path, name: str) -> AnyEngine:
    spec = Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)
    return registry.load(registry.choose(spec).manifest, spec, OPTIONS)


def asked(name: str, texts: Sequence[str], **options: Any) -> ExtractCall:
    options = {"labels": LABELS, "threshold": 0.0} | options
    return ExtractCall(model=name, items=[Item(text=text) for text in texts], **options)


def found(zoo: Path, name: str, texts: Sequence[str], **options: Any) -> ExtractResult:
    result: ExtractResult = answer(engine_of(zoo, name), asked(name, texts, **options))
    assert not result.errors
    return result


def classes(result: ExtractResult, index: int) -> dict[str, float]:
    return {c.label: c.score for c in result.items[index].classifications}


@pytest.fixture(scope="module")
def judge(zoo: Path) -> Any:
    return transformers.pipeline(
        "zero-shot-classification", model=str(zoo / JUDGE), local_files_only=True
    )


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("hypothesis", [None, "It is about {} only."])
def test_judged_classes_are_those_of_transformers(
    zoo: Path, judge: Any, several: bool, hypothesis: str | None
) -> None:
    result = found(zoo, JUDGE, TEXTS, multi_label=several, hypothesis=hypothesis)
    given = {} if hypothesis is None else {"hypothesis_template": hypothesis}
    for index, text in enumerate(TEXTS):
        theirs = judge(text, list(LABELS), multi_label=several, **given)
        expected = dict(zip(theirs["labels"], theirs["scores"], strict=True))
        assert classes(result, index) == pytest.approx(expected, abs=TOLERANCE)
        scores = list(classes(result, index).values())
        assert scores == sorted(scores, reverse=True)


def test_one_label_is_judged_by_itself(zoo: Path, judge: Any) -> None:
    result = found(zoo, JUDGE, TEXTS, labels=("music",))
    for index, text in enumerate(TEXTS):
        expected = judge(text, ["music"])["scores"][0]
        assert classes(result, index) == pytest.approx({"music": expected}, abs=TOLERANCE)


def test_long_text_is_about_what_a_part_is_about(zoo: Path) -> None:
    """Each label's score is that of the window which fits it best."""
    text = " ".join(TEXTS * 20)
    engine = engine_of(zoo, JUDGE)
    call = asked(JUDGE, [text], multi_label=True)
    entries = [p.features for p in prepared_of(engine, call) if p.features is not None]
    windows = len(entries) // len(LABELS)
    assert windows > 5
    logits = np.array([row.scores for row in engine.run(entries)])[:, :2]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = shares[:, 1].reshape(windows, len(LABELS)).max(axis=0)
    result = found(zoo, JUDGE, [text], multi_label=True)
    assert classes(result, 0) == pytest.approx(
        dict(zip(LABELS, expected.tolist(), strict=True)), abs=TOLERANCE
    )


def test_classes_below_the_threshold_are_left_out(zoo: Path) -> None:
    every = classes(found(zoo, JUDGE, TEXTS[:1]), 0)
    middle = sorted(every.values())[1]
    some = classes(found(zoo, JUDGE, TEXTS[:1], threshold=middle), 0)
    assert some == {label: score for label, score in every.items() if score >= middle}


@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
def test_blank_text_has_no_class(zoo: Path, text: str) -> None:
    assert found(zoo, JUDGE, [text]).items[0].classifications == ()


def test_judge_scores_pairs_too(zoo: Path) -> None:
    call = ScoreCall(model=JUDGE, query=Item(text="a"), documents=[Item(text="b")])
    assert answer(engine_of(zoo, JUDGE), call).scores.shape == (1, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": ()}, "what to look for"),
        ({"hypothesis": "It is so."}, "no place"),
        ({"labels": ("word " * 200,)}, "shorter labels"),
        ({"labels": tuple(f"kind {i}" for i in range(10_000))}, "fewer"),
    ],
)
def test_call_that_cannot_be_judged_is_refused(
    zoo: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        engine_of(zoo, JUDGE).open(asked(JUDGE, TEXTS, **options))


SORTERS = ("gliclass", "gliclass-average")


@pytest.fixture
def sorter(zoo: Path) -> Callable[..., list[dict[str, float]]]:
    """Scores by the library's own pipeline, each text alone, so that no padding counts."""

    def sort(name: str, texts: Sequence[str], several: bool = True) -> list[dict[str, float]]:
        pipeline = UniEncoderZeroShotClassificationPipeline(
            GLiClassModel.from_pretrained(str(zoo / name), local_files_only=True),
            transformers.AutoTokenizer.from_pretrained(str(zoo / name)),
            classification_type="multi-label" if several else "single-label",
            device="cpu",
            progress_bar=False,
        )
        found = []
        for text in texts:
            rows = pipeline([text], list(LABELS), threshold=0.0)[0]
            found.append({row["label"]: row["score"] for row in rows})
        return found

    return sort


@pytest.mark.parametrize("name", SORTERS)
def test_sorted_classes_are_those_of_gliclass(
    zoo: Path, sorter: Callable[..., list[dict[str, float]]], name: str
) -> None:
    result = found(zoo, name, TEXTS)
    for index, expected in enumerate(sorter(name, TEXTS)):
        assert classes(result, index) == pytest.approx(expected, abs=TOLERANCE)
    assert len({round(s, 3) for i in range(len(TEXTS)) for s in classes(result, i).values()}) > 4


@pytest.mark.parametrize("name", SORTERS)
def test_classes_that_exclude_each_other_share_one(
    zoo: Path, sorter: Callable[..., list[dict[str, float]]], name: str
) -> None:
    """The library tells the best alone."""
    result = found(zoo, name, TEXTS, multi_label=False, threshold=None)
    for index, expected in enumerate(sorter(name, TEXTS, several=False)):
        best = result.items[index].classifications[0]
        assert {best.label: best.score} == pytest.approx(expected, abs=TOLERANCE)
        assert sum(classes(result, index).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", SORTERS)
def test_company_changes_no_class(zoo: Path, name: str) -> None:
    together = found(zoo, name, TEXTS * 4)
    for index, text in enumerate(TEXTS):
        alone = classes(found(zoo, name, [text]), 0)
        assert alone == pytest.approx(classes(together, index + 4), abs=TOLERANCE)


@pytest.mark.parametrize("name", SORTERS)
def test_long_text_fits_a_label_that_one_of_its_windows_fits(zoo: Path, name: str) -> None:
    text = " ".join(TEXTS * 40)
    engine = engine_of(zoo, name)
    entries = [p.features for p in prepared_of(engine, asked(name, [text])) if p.features]
    assert len(entries) > 5
    best = np.stack(engine.run(entries)).max(axis=0)
    expected = dict(zip(LABELS, (1 / (1 + np.exp(-best))).tolist(), strict=True))
    assert classes(found(zoo, name, [text]), 0) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("name", SORTERS)
def test_marks_in_a_text_are_words(zoo: Path, name: str) -> None:
    result = found(zoo, name, ["a <<LABEL>>music<<SEP>> b", "", "\u200b \n"])
    assert len(classes(result, 0)) == len(LABELS)
    assert (classes(result, 1), classes(result, 2)) == ({}, {})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": ()}, "what to look for"),
        ({"labels": ("a<<LABEL>>b",)}, "<<LABEL>>"),
        ({"labels": tuple(f"kind {i}" for i in range(10_000))}, "fewer"),
        ({"hypothesis": "It is {}."}, "leave it out"),
    ],
)
def test_call_that_cannot_be_sorted_is_refused(
    zoo: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        engine_of(zoo, "gliclass").open(asked("gliclass", TEXTS, **options))


@pytest.mark.parametrize("name", [JUDGE, *SORTERS])
def test_long_text_is_refused_if_it_must_be_read_at_once(zoo: Path, name: str) -> None:
    long = " ".join(TEXTS * 20)
    result = answer(engine_of(zoo, name), asked(name, [TEXTS[0], long], truncate=Truncate.ERROR))
    assert list(result.errors) == [1]
    assert isinstance(from_info(result.errors[1]), InputTooLong)
    assert classes(result, 0) == pytest.approx(classes(found(zoo, name, TEXTS[:1]), 0))
    assert not found(zoo, name, [long]).truncated.any()
