"""What answers of Florence-2 and Donut mean, beside what they mean to the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fix_writing import PLAIN, engine_of, library, places_of

from stelae.engines.documents.donut import fields
from stelae.engines.documents.florence import TASKS, Florence
from stelae.types import Extraction

ANSWERS = (
    "</s><s>cat<loc_1><loc_2><loc_500><loc_999>a dog<loc_0><loc_0><loc_10><loc_20></s><pad>",
    "<s>cat<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7><loc_8><loc_9>it<loc_1><loc_2>"
    "<loc_3><loc_4></s>",
    "<s>two lines<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7><loc_8>2 &amp; 3<loc_11><loc_12>"
    "<loc_13><loc_14><loc_15><loc_16><loc_17><loc_18></s>",
    "<s><poly><loc_1><loc_2><loc_30><loc_40><loc_50><loc_60><sep><loc_7><loc_8><loc_9><loc_10>"
    "</poly></s>",
    "<s>a cat<poly><loc_1><loc_2><loc_30><loc_40><loc_50><loc_60></poly><poly><loc_7><loc_8>"
    "<loc_9><loc_10><loc_11></poly>dog<poly><loc_100><loc_200><loc_300><loc_400></poly></s>",
    "<s><loc_5><loc_6><loc_70><loc_80><loc_9><loc_10><loc_110><loc_120></s>",
    "<s>nothing here</s>",
    "<s>short<loc_1><loc_2><loc_3></s>",
    "<s></s>",
)


@pytest.mark.parametrize("task", [task for task in TASKS if task not in PLAIN])
@pytest.mark.parametrize("text", ANSWERS)
def test_places_are_those_of_the_library(zoo: Path, task: str, text: str) -> None:
    _, processor = library(zoo / "florence2")
    size = (640, 481)
    raw = processor.post_process_generation(text.replace("<pad>", ""), task=task, image_size=size)
    expected = raw[task]
    writer: Florence = engine_of(zoo / "florence2")._writer  # type: ignore[attr-defined]
    found = writer.read(task, text, size)
    if isinstance(expected, str):
        assert found == Extraction(data={"text": expected})
        return
    seen = [(o.label, o.bbox) for o in found.objects]
    read = [(e.text, e.bbox) for e in found.entities]
    assert seen + read == places_of(expected)


TEXTS = (
    "<s_menu><s_nm>Tea</s_nm><s_price>2.50</s_price></s_menu>",
    "<s_menu><s_nm>Tea</s_nm><sep/><s_nm>Milk</s_nm><s_price>1</s_price></s_menu><s_price>3</s_price>",
    "<s_nm>a<sep/>b<sep/><yes/></s_nm>",
    "<s_nm>Tea</s_nm><sep/><s_nm>Milk</s_nm><sep/>",
    "<s_nm>Tea</s_nm><sep/><s_nm>Milk</s_nm> tail",
    "plain words",
    "",
    "<s_nm>never closed <s_price>1</s_price>",
    "</s_nm><s_nm>late</s_nm>",
    "<s_NM>one</s_nm><s_nm>two</S_NM>",
    "<s_menu><s_menu>x</s_menu></s_menu>",
    "<s_a.b>dots</s_a.b><s_+>plus</s_+>",
    "<s_nm",
    "<s_nm>Tea</s_nm><s_nm>Milk</s_nm>",
    "<s_menu><s_nm></s_nm></s_menu><s_price> </s_price>",
    "<s_menu><s_nm></s_menu>",
    "<s_answer><no/></s_answer><s_x><other/></s_x>",
    "<s_menu><s_nm>a</s_nm><sep/></s_menu>",
    "<sep/><s_nm>a</s_nm>",
)


@pytest.mark.parametrize("text", TEXTS)
def test_tags_mean_what_they_mean_to_the_library(zoo: Path, text: str) -> None:
    _, processor = library(zoo / "donut")
    assert fields(text, processor.tokenizer.get_added_vocab()) == processor.token2json(text)


def test_deep_nesting_and_long_lists_are_read() -> None:
    deep = "<s_menu>" * 500 + "x" + "</s_menu>" * 500
    assert isinstance(fields(deep, ()), dict)
    nested = "".join(f"<s_{i}>" for i in range(500)) + "x"
    nested += "".join(f"</s_{i}>" for i in reversed(range(500)))
    found: Any = fields(nested, ())
    depth = 0
    while isinstance(found, dict):
        found, depth = next(iter(found.values())), depth + 1
    assert depth < 40
    rows = fields("<sep/>".join(["<s_nm>x</s_nm>"] * 3000), ())
    assert rows == [{"nm": "x"}] * 3000
