"""What is written of pictures, beside what the library writes of them by itself."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_pictures import blots
from fix_writing import LONG, PLAIN, library, pixels, places_of, written
from PIL import Image

from stelae.errors import InputTooLong, InvalidInput, UnsupportedTask
from stelae.types import Item

NAMES = ("florence2", "donut")
PICTURES = [blots(60, 90), blots(90, 60, 1), blots(200, 40, 3), blots(50, 50, 5)]
BUSY = [blots(60 + i, 90, i) for i in (10, 11, 12, 15, 31)]
"""Pictures of which much is written."""


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
