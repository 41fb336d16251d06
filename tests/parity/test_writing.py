"""What is written of pictures, beside what the library writes of them by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from fix_engine import answer
from fix_pictures import blots
from PIL import Image

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.engines.documents.donut import fields
from stelae.engines.documents.florence import TASKS, Florence
from stelae.errors import InputTooLong, InvalidInput, UnsupportedTask
from stelae.types import ComputeDtype, ExtractCall, Extraction, ExtractResult, Item

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
NAMES = ("florence2", "donut")
PICTURES = [blots(60, 90), blots(90, 60, 1), blots(200, 40, 3), blots(50, 50, 5)]
PLAIN = ("<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>", "<OCR>")
BUSY = [blots(60 + i, 90, i) for i in (10, 11, 12, 15, 31)]
"""Pictures of which much is written."""

LONG = 100


@cache
def engine_of(folder: Path) -> AnyEngine:
    spec = Catalog([ModelEntry(name="writer", source=str(folder))]).spec("writer")
    choice = registry.choose(spec)
    assert choice.manifest.name == "documents"
    return registry.load(choice.manifest, spec, OPTIONS)


def written(folder: Path, items: Sequence[Item], **options: Any) -> ExtractResult:
    options.setdefault("max_new_tokens", LONG)
    call = ExtractCall(model="writer", items=list(items), **options)
    result: ExtractResult = answer(engine_of(folder), call)
    return result


def pixels(pictures: Sequence[Image.Image]) -> list[Item]:
    return [Item(pixels=np.asarray(picture)) for picture in pictures]


@cache
def library(folder: Path) -> tuple[Any, Any]:
    """The library's own model and processor of a checkpoint."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if folder.name == "donut":
        reader = transformers.DonutImageProcessorPil.from_pretrained(folder)
        model = transformers.VisionEncoderDecoderModel.from_pretrained(folder)
        return model.eval(), transformers.DonutProcessor(reader, tokenizer)
    reader = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    reader.image_seq_length = 17
    processor = transformers.Florence2Processor(
        reader, tokenizer, post_processor_config=rules(folder)
    )
    model = transformers.Florence2ForConditionalGeneration.from_pretrained(folder)
    return model.eval(), processor


def rules(folder: Path) -> dict[str, Any]:
    config = Catalog([ModelEntry(name="x", source=str(folder))]).spec("x").backbone.config
    return dict(config["processor"]["post_processor_config"])


@torch.inference_mode()
def florence(folder: Path, picture: Image.Image, task: str, beams: int | None) -> str:
    model, processor = library(folder)
    inputs = processor(text=task, images=picture, return_tensors="pt")
    search = {} if beams is None else {"num_beams": beams, "early_stopping": beams > 1}
    ids = model.generate(**inputs, max_new_tokens=LONG, do_sample=False, **search)
    text: str = processor.batch_decode(ids, skip_special_tokens=False)[0]
    return text


@torch.inference_mode()
def donut(folder: Path, picture: Image.Image, prompt: str, beams: int) -> Any:
    model, processor = library(folder)
    start = processor.tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
    ids = model.generate(
        processor(picture, return_tensors="pt").pixel_values,
        decoder_input_ids=start,
        max_new_tokens=LONG,
        num_beams=beams,
        bad_words_ids=[[processor.tokenizer.unk_token_id]],
    )
    text = processor.batch_decode(ids)[0].replace("</s>", "").replace("<pad>", "")
    return processor.token2json(re.sub(r"<.*?>", "", text, count=1).strip())


@pytest.mark.parametrize("beams", [None, 1, 2])
@pytest.mark.parametrize("task", PLAIN)
def test_words_are_those_of_the_library(zoo: Path, task: str, beams: int | None) -> None:
    result = written(zoo / "florence2", pixels(PICTURES), instruction=task, beams=beams)
    assert not result.errors
    _, processor = library(zoo / "florence2")
    for picture, found in zip(PICTURES, result.items, strict=True):
        text = florence(zoo / "florence2", picture, task, beams).replace("<pad>", "")
        expected = processor.post_process_generation(text, task=task, image_size=picture.size)
        assert found.data == {"text": expected[task]}
    assert len({found.data["text"] for found in result.items}) > 1


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("instruction", [None, "<s_synthdog>", "what is the price?"])
def test_fields_are_those_of_the_library(zoo: Path, instruction: str | None, beams: int) -> None:
    prompt = instruction or "<s_tiny>"
    if not prompt.startswith("<"):
        prompt = f"<s_tiny><s_question>{prompt}</s_question><s_answer>"
    result = written(zoo / "donut", pixels(PICTURES), instruction=instruction, beams=beams)
    assert not result.errors
    for picture, found in zip(PICTURES, result.items, strict=True):
        expected = donut(zoo / "donut", picture, prompt, beams)
        assert found.data == (expected if isinstance(expected, dict) else {"items": expected})


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


def boxed(corners: Sequence[Sequence[float]]) -> tuple[float, ...]:
    points = np.array([value for shape in corners for value in shape]).reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    return (*low, *(high - low))


TAG = re.compile(r"^/?\w+>")


def places_of(answer: dict[str, Any]) -> list[tuple[str, tuple[float, ...]]]:
    """Labels and boxes of any of the library's forms.

    Where nothing stands before a place, the library takes the end of a tag for its name;
    such are left out.
    """
    found = []
    for names, places in (
        ("labels", "bboxes"),
        ("bboxes_labels", "bboxes"),
        ("labels", "polygons"),
        ("polygons_labels", "polygons"),
        ("labels", "quad_boxes"),
    ):
        for name, place in zip(answer.get(names, ()), answer.get(places, ()), strict=False):
            shapes = place if isinstance(place[0], list) else [place]
            if not name or TAG.sub("", name):
                found.append((TAG.sub("", name), boxed(shapes)))
    return found


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


@pytest.mark.parametrize("task", ["<OD>", "<REGION_PROPOSAL>", "<OPEN_VOCABULARY_DETECTION> a cat"])
def test_boxes_are_those_of_the_library(zoo: Path, task: str) -> None:
    name = task.split()[0]
    result = written(zoo / "florence2", pixels(BUSY), instruction=task)
    _, processor = library(zoo / "florence2")
    for picture, found in zip(BUSY, result.items, strict=True):
        text = florence(zoo / "florence2", picture, task, None).replace("<pad>", "")
        raw = processor.post_process_generation(text, task=name, image_size=picture.size)
        expected = [box for _, box in places_of(raw[name])]
        kept = [o for o in found.objects if not o.label or o.label.encode("ascii", "ignore")]
        assert [o.bbox for o in kept] == expected  # the library drops letters that are not ASCII
    assert any(found.objects for found in result.items)


@pytest.mark.parametrize("name", NAMES)
def test_company_changes_nothing(zoo: Path, name: str) -> None:
    together = written(zoo / name, pixels(PICTURES * 2), beams=2)
    for index, picture in enumerate(PICTURES):
        alone = written(zoo / name, pixels([picture]), beams=2)
        assert together.items[index] == together.items[index + len(PICTURES)] == alone.items[0]


def test_what_is_not_finished_is_told(zoo: Path) -> None:
    full = written(zoo / "florence2", pixels(PICTURES), instruction="<CAPTION>")
    short = written(zoo / "florence2", pixels(PICTURES), instruction="<CAPTION>", max_new_tokens=2)
    assert not full.truncated.all()
    assert short.truncated.all()


def test_writing_stops_before_the_worker_is_taken_to_hang(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"instruction": "<CAPTION>", "beams": 1}
    whole = written(zoo / "florence2", pixels(BUSY), **options)
    monkeypatch.setattr("stelae.engines.documents.model.LONGEST", 0.0)
    monkeypatch.setattr("stelae.engines.documents.model.LEAST", 0.0)
    stopped = written(zoo / "florence2", pixels(BUSY), **options)
    assert not whole.truncated.all()
    assert stopped.truncated.all()
    for full, short in zip(whole.items, stopped.items, strict=True):
        assert full.data["text"].startswith(short.data["text"])
        assert full.data["text"] != short.data["text"]


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


@pytest.mark.parametrize("name", NAMES)
def test_items_that_cannot_be_seen_fail_alone(zoo: Path, name: str) -> None:
    file = BytesIO()
    PICTURES[0].save(file, "PNG")
    good = file.getvalue()
    bad = [Item(image=good[:200]), Item(image=b"no picture"), Item(text="a cat")]
    result = written(zoo / name, [*bad, Item(image=good)])
    assert sorted(result.errors) == [0, 1, 2]
    assert all(e.code == "invalid_input" and e.param == "items" for e in result.errors.values())
    assert "needs image or pixels" in result.errors[2].message
    assert result.items[3] == written(zoo / name, [Item(image=good)]).items[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (3, 3), (3, 500)])
def test_odd_shapes_are_seen_or_refused_by_name(
    zoo: Path, name: str, shape: tuple[int, int]
) -> None:
    result = written(zoo / name, [Item(pixels=np.full((*shape, 3), 128, np.uint8))])
    for error in result.errors.values():
        assert f"{shape[1]} x {shape[0]} " in error.message


REFUSED = (
    ("florence2", {"instruction": "describe it"}, "has to begin with a task"),
    ("florence2", {"instruction": "<NO_TASK>"}, "has to begin with a task"),
    ("florence2", {"instruction": "<OD> cats"}, "takes no more words"),
    ("florence2", {"instruction": "<OPEN_VOCABULARY_DETECTION>"}, "needs what it is about"),
    ("florence2", {"instruction": "<OPEN_VOCABULARY_DETECTION> <image>"}, "token of a picture"),
    ("donut", {"instruction": "<s_menu>"}, "knows the tasks <s_synthdog>, <s_tiny>"),
    ("donut", {"instruction": ""}, "knows the tasks"),
    *((name, {"labels": ("cat",)}, "give instruction") for name in NAMES),
    *((name, {"max_new_tokens": n}, "choose 1..") for name in NAMES for n in (0, -1, 10_000)),
    *((name, {"beams": n}, "choose 1..16") for name in NAMES for n in (0, 17)),
    *((name, {"hypothesis": "It is {}."}, "hypothesis") for name in NAMES),
    *((name, {"multi_label": True}, "multi_label") for name in NAMES),
)


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_wrong_options_are_refused(
    zoo: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        written(zoo / name, pixels(PICTURES[:1]), **options)


@pytest.mark.parametrize("name", NAMES)
def test_question_that_is_too_long_is_refused(zoo: Path, name: str) -> None:
    task = {"florence2": "<CAPTION_TO_PHRASE_GROUNDING> ", "donut": ""}[name]
    with pytest.raises(InputTooLong, match="tokens"):
        written(zoo / name, pixels(PICTURES[:1]), instruction=task + "stone " * 200)


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_for_other_models(zoo: Path, name: str) -> None:
    with pytest.raises(UnsupportedTask, match="output_schema"):
        written(zoo / name, pixels(PICTURES[:1]), output_schema={"type": "object"})
