"""What is seen in pictures, beside what the library sees in them by itself."""

from __future__ import annotations

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
from numpy.typing import NDArray
from PIL import Image

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.engines.detection.boxes import by_sigmoid
from stelae.engines.detection.features import Asked
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.types import ComputeDtype, ExtractCall, ExtractResult, Item

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
TRAINED = {"detr": "DetrImageProcessorPil", "rt-detr": "RTDetrImageProcessorPil"}
ASKED = {"owlv2": "Owlv2ImageProcessorPil", "grounding-dino": "GroundingDinoImageProcessorPil"}
NAMES = (*TRAINED, *ASKED)
LABELS = ("A cat", "tree", "a clay tablet")
PICTURES = [blots(60, 90), blots(90, 60, 1), blots(60, 90, 2), blots(200, 40, 3)]
THRESHOLDS = (0.0, 0.3, 0.9)


@cache
def engine_of(folder: Path) -> AnyEngine:
    spec = Catalog([ModelEntry(name="seer", source=str(folder))]).spec("seer")
    choice = registry.choose(spec)
    assert choice.manifest.name == "detection"
    return registry.load(choice.manifest, spec, OPTIONS)


def seen(folder: Path, items: Sequence[Item], **options: Any) -> ExtractResult:
    if folder.name in ASKED:
        options.setdefault("labels", LABELS)
    call = ExtractCall(model="seer", items=list(items), **options)
    result: ExtractResult = answer(engine_of(folder), call)
    return result


def pixels(pictures: Sequence[Image.Image]) -> list[Item]:
    return [Item(pixels=np.asarray(picture)) for picture in pictures]


class Library:
    """The library's own model of a checkpoint, asked as its documentation does."""

    def __init__(self, folder: Path) -> None:
        self.kind = folder.name
        config = transformers.AutoConfig.from_pretrained(folder)
        kind = getattr(transformers, config.architectures[0])
        self.model = kind.from_pretrained(folder).eval()
        self.reader = getattr(transformers, (TRAINED | ASKED)[self.kind]).from_pretrained(folder)
        self.processor: Any = None
        if self.kind in ASKED:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            name = {"owlv2": "Owlv2Processor", "grounding-dino": "GroundingDinoProcessor"}
            self.processor = getattr(transformers, name[self.kind])(self.reader, tokenizer)

    @torch.inference_mode()
    def see(self, picture: Image.Image, threshold: float) -> tuple[NDArray[Any], list[Any]]:
        """Rows of score, left and upper edge, width and height; and what is there."""
        size = [(picture.height, picture.width)]
        if self.processor is None:
            output = self.model(**self.reader(images=picture, return_tensors="pt"))
            found = self.reader.post_process_object_detection(output, threshold, size)[0]
            labels = [self.model.config.id2label[int(i)] for i in found["labels"]]
        else:
            read = self.processor(images=picture, text=[list(LABELS)], return_tensors="pt")
            output = self.model(**read)
            options: dict[str, Any] = {"threshold": threshold, "target_sizes": size}
            if self.kind == "owlv2":
                options["text_labels"] = [list(LABELS)]
            after = self.processor.post_process_grounded_object_detection
            found = after(output, **options)[0]
            labels = list(found["text_labels"])
        return clipped(found, picture), labels


def clipped(found: Any, picture: Image.Image) -> NDArray[Any]:
    boxes = found["boxes"].numpy().astype(np.float64).reshape(-1, 2, 2)
    boxes = boxes.clip(0, np.array(picture.size))
    sides = boxes[:, 1] - boxes[:, 0]
    return np.column_stack([found["scores"].numpy(), boxes[:, 0], sides])


def rows(result: ExtractResult, index: int) -> NDArray[Any]:
    return np.array([(o.score, *o.bbox) for o in result.items[index].objects]).reshape(-1, 5)


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_those_of_the_library(zoo: Path, name: str) -> None:
    library = Library(zoo / name)
    for threshold in THRESHOLDS:
        result = seen(zoo / name, pixels(PICTURES), threshold=threshold)
        assert not result.errors
        for index, picture in enumerate(PICTURES):
            expected, labels = library.see(picture, threshold)
            order = np.argsort(-expected[:, 0], kind="stable")
            there = [i for i in order if expected[i, 3:].min() > 0]
            np.testing.assert_allclose(rows(result, index), expected[there], rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(rows(result, index)[:, 0], expected[there, 0], atol=1e-5)
            if name != "grounding-dino":  # which tells tokens, not labels
                found = [o.label for o in result.items[index].objects]
                assert found == [labels[i] for i in there]


def test_label_of_a_phrase_is_the_one_whose_words_fit_best(zoo: Path) -> None:
    """Grounding DINO scores tokens; a box goes to the label that has its best one."""
    library = Library(zoo / "grounding-dino")
    read = library.processor(images=PICTURES[0], text=[list(LABELS)], return_tensors="pt")
    with torch.inference_mode():
        logits = library.model(**read).logits[0]
    words = library.processor.tokenizer.convert_ids_to_tokens(read["input_ids"][0])
    ends = [i for i, word in enumerate(words) if word == "."]
    spans = zip([0, *ends], ends, strict=False)
    best = torch.stack([logits[:, start + 1 : stop].amax(-1) for start, stop in spans], -1)
    order = logits.amax(-1).argsort(descending=True)
    expected = [LABELS[int(best[i].argmax())] for i in order]
    result = seen(zoo / "grounding-dino", pixels(PICTURES[:1]), threshold=0.0)
    assert [o.label for o in result.items[0].objects] == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("name", NAMES)
def test_company_changes_nothing(zoo: Path, name: str) -> None:
    together = seen(zoo / name, pixels(PICTURES * 2), threshold=0.0)
    for index, picture in enumerate(PICTURES):
        alone = rows(seen(zoo / name, pixels([picture]), threshold=0.0), 0)
        for place in (index, index + len(PICTURES)):
            np.testing.assert_allclose(rows(together, place)[:, 0], alone[:, 0], atol=1e-5)
            np.testing.assert_allclose(rows(together, place), alone, rtol=1e-3, atol=1e-3)


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def turned(picture: Image.Image) -> bytes:
    """As a camera held sideways stores it: on its side, with a note which way is up."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


def test_boxes_are_those_of_the_picture_upright(zoo: Path) -> None:
    items = [Item(image=turned(PICTURES[1])), *pixels(PICTURES[1:2])]
    result = seen(zoo / "detr", items, threshold=0.0)
    np.testing.assert_array_equal(rows(result, 0), rows(result, 1))


@pytest.mark.parametrize("mode", ["CMYK", "P", "L", "RGBA", "1"])
def test_pictures_of_any_kind_are_looked_at(zoo: Path, mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    data = saved(PICTURES[0].convert(mode), form)
    plain = Image.open(BytesIO(data)).convert("RGB")
    result = seen(zoo / "owlv2", [Item(image=data), *pixels([plain])], threshold=0.0)
    assert rows(result, 0).size
    np.testing.assert_array_equal(rows(result, 0), rows(result, 1))


@pytest.mark.parametrize("name", NAMES)
def test_items_that_cannot_be_seen_fail_alone(zoo: Path, name: str) -> None:
    good = saved(PICTURES[0], "PNG")
    bad = [Item(image=good[:200]), Item(image=b""), Item(image=b"no picture"), Item(text="a cat")]
    result = seen(zoo / name, [*bad, Item(image=good)], threshold=0.0)
    assert sorted(result.errors) == [0, 1, 2, 3]
    assert all(e.code == "invalid_input" and e.param == "items" for e in result.errors.values())
    assert "needs image or pixels" in result.errors[3].message
    alone = seen(zoo / name, [Item(image=good)], threshold=0.0)
    np.testing.assert_array_equal(rows(result, 4), rows(alone, 0))
    assert result.tokens[:4].tolist() == [0] * 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (3, 3), (3, 500)])
def test_odd_shapes_are_seen_or_refused_by_name(
    zoo: Path, name: str, shape: tuple[int, int]
) -> None:
    picture = np.full((*shape, 3), 128, np.uint8)
    result = seen(zoo / name, [Item(pixels=picture)], threshold=0.0)
    for error in result.errors.values():
        assert f"{shape[1]} x {shape[0]} pixels" in error.message
    for found in result.items[0].objects:
        x, y, width, height = found.bbox
        assert 0 <= x < x + width <= shape[1]
        assert 0 <= y < y + height <= shape[0]


def test_picture_that_would_become_too_large_on_the_way_is_refused(zoo: Path) -> None:
    narrow = np.zeros((1, 20_000, 3), np.uint8)
    error = seen(zoo / "owlv2", [Item(pixels=narrow)]).errors[0]
    assert "20000 x 20000 = 400 million pixels" in error.message


def test_only_wanted_labels_are_returned(zoo: Path) -> None:
    every = seen(zoo / "detr", pixels(PICTURES), threshold=0.0)
    wanted = seen(zoo / "detr", pixels(PICTURES), threshold=0.0, labels=("person", "tree"))
    for index in range(len(PICTURES)):
        expected = [o for o in every.items[index].objects if o.label in {"person", "tree"}]
        assert list(wanted.items[index].objects) == expected
    assert any(item.objects for item in wanted.items)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "detr": ({"labels": ("person", "unicorn")}, "not trained to find 'unicorn'"),
    "rt-detr": ({"labels": ("Person",)}, "not trained to find 'Person'"),
    "owlv2": ({"labels": ("tree " * 20,)}, "the model reads at most 16"),
    "grounding-dino": ({"labels": ("a. b",)}, "has a dot or a question mark"),
}


@pytest.mark.parametrize("name", NAMES)
def test_labels_that_cannot_be_looked_for_are_refused(zoo: Path, name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises(InvalidInput, match=message) as caught:
        seen(zoo / name, pixels(PICTURES[:1]), **options)
    assert caught.value.param == "labels"


@pytest.mark.parametrize("labels", [("tree?",), ("\u200b",), ("tree " * 70,), ()])
def test_words_that_make_no_label_are_refused(zoo: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="labels"):
        seen(zoo / "grounding-dino", pixels(PICTURES[:1]), labels=labels)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("instruction", "find all"),
        ("max_new_tokens", 5),
        ("output_schema", {"type": "object"}),
        ("relations", ("beside",)),
        ("nested", True),
        ("multi_label", False),
    ],
)
def test_options_without_meaning_are_refused(zoo: Path, name: str, option: str, value: Any) -> None:
    with pytest.raises((InvalidInput, UnsupportedTask), match=option):
        seen(zoo / name, pixels(PICTURES[:1]), **{option: value})


def test_classes_of_one_query_may_all_be_found() -> None:
    """RT-DETR's queries stand for as many objects as they have sure classes."""
    rng = np.random.default_rng(4)
    logits = torch.from_numpy(rng.standard_normal((2, 6, 4), np.float32))
    boxes = torch.from_numpy(rng.random((2, 6, 4), np.float32))
    reader = transformers.RTDetrImageProcessorPil()
    output = transformers.models.rt_detr.modeling_rt_detr.RTDetrObjectDetectionOutput(
        logits=logits, pred_boxes=boxes
    )
    theirs = reader.post_process_object_detection(output, 0.0)
    scores, kinds, _ = by_sigmoid(logits, boxes, Asked())
    for index, expected in enumerate(theirs):
        np.testing.assert_allclose(scores[index], expected["scores"])
        np.testing.assert_array_equal(kinds[index], expected["labels"])
