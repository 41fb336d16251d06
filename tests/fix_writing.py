"""Models that write what pictures hold: ours, and the library's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from fix_engine import answer
from PIL import Image

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.types import ComputeDtype, ExtractCall, ExtractResult, Item

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
PLAIN = ("<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>", "<OCR>")
"""Tasks whose answers are words alone."""

LONG = 100
"""Tokens of the longest answer."""


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
