"""Florence-2: a task by its name, a picture, and an answer in words and places.

Source: transformers 5.17, ``models/florence2/processing_florence2.py``, for what the tasks
are called and what the model is asked for each.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from stelae.catalog.files import Json
from stelae.catalog.options import need
from stelae.catalog.spec import ModelSpec
from stelae.engines.documents.answers import (
    Named,
    as_data,
    bare,
    boxes,
    lines,
    nameless_boxes,
    shapes,
)
from stelae.engines.documents.features import Asked
from stelae.engines.extract.upstream import part_of, tokenizer_of
from stelae.errors import InputTooLong, InvalidInput
from stelae.types import DetectedObject, Entity, Extraction

FIRST = "<OD>"
"""The task if the call names none."""

TASKS: dict[str, str] = {
    "<CAPTION>": "What does the image describe?",
    "<DETAILED_CAPTION>": "Describe in detail what is shown in the image.",
    "<MORE_DETAILED_CAPTION>": "Describe with a paragraph what is shown in the image.",
    "<OCR>": "What is the text in the image?",
    "<OCR_WITH_REGION>": "What is the text in the image, with regions?",
    "<OD>": "Locate the objects with category name in the image.",
    "<DENSE_REGION_CAPTION>": "Locate the objects in the image, with their descriptions.",
    "<REGION_PROPOSAL>": "Locate the region proposals in the image.",
    "<CAPTION_TO_PHRASE_GROUNDING>": "Locate the phrases in the caption: {input}",
    "<OPEN_VOCABULARY_DETECTION>": "Locate {input} in the image.",
    "<REFERRING_EXPRESSION_SEGMENTATION>": "Locate {input} in the image with mask",
    "<REGION_TO_SEGMENTATION>": "What is the polygon mask of region {input}",
    "<REGION_TO_CATEGORY>": "What is the region {input}?",
    "<REGION_TO_DESCRIPTION>": "What does the region {input} describe?",
    "<REGION_TO_OCR>": "What text is in the region {input}?",
}
"""What the model is asked; some tasks have a place for words or a region of the caller's."""

BOXED = {"<OD>", "<DENSE_REGION_CAPTION>", "<CAPTION_TO_PHRASE_GROUNDING>"}
SHAPED = {"<REFERRING_EXPRESSION_SEGMENTATION>", "<REGION_TO_SEGMENTATION>"}

NAME = re.compile(r"\s*(<[A-Z_]+>)(.*)", re.DOTALL)

LINE = "text"
"""What lines of writing are labelled as."""


class Florence:
    """Prompts and answers of one model.

    Args:
        spec: The model.

    Raises:
        ModelLoadFailed: A file lacks what is needed.
    """

    def __init__(self, spec: ModelSpec) -> None:
        config = part_of(spec).config
        self.tokenizer = tokenizer_of(spec)
        reader: Json = config["image_processor"]
        self.patches = need(reader, "image_seq_length", int, f"the processor in {spec.folder}")
        self._picture = need(config, "image_token_id", int, f"config.json in {spec.folder}")
        self._longest = spec.max_tokens
        rules = config["processor"].get("post_processor_config") or {}
        grounding = rules.get("phrase_grounding") or {}
        self._banned = frozenset(grounding.get("banned_grounding_tokens") or ())

    def prompt(self, instruction: str | None) -> tuple[str, tuple[int, ...]]:
        """Name and token ids of a task.

        Raises:
            InvalidInput: There is no such task, or it lacks what it is about.
            InputTooLong: The words are too long.
        """
        task, question = asked_for(FIRST if instruction is None else instruction)
        edges = self.tokenizer.bos_token, self.tokenizer.eos_token
        read = self.tokenizer(f"{edges[0]}{question}{edges[1]}", add_special_tokens=False)
        ids = tuple(read["input_ids"])
        if self._picture in ids:
            raise InvalidInput("instruction: it has the token of a picture", param="instruction")
        room = self._longest - self.patches
        if len(ids) > room:
            raise InputTooLong(
                f"instruction: the question has {len(ids)} tokens, the model reads at most {room} "
                "beside a picture",
                param="instruction",
            )
        return task, (self._picture,) * self.patches + ids

    def begins(self, asked: Asked) -> int:
        """Tokens of an answer that the model did not write: the one that it starts with."""
        del asked
        return 1

    def inputs(self, asked: Asked, count: int) -> dict[str, Tensor]:
        """What the model reads beside each of so many pictures."""
        ids = torch.tensor([asked.ids]).repeat(count, 1)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def options(self) -> dict[str, Any]:
        """What else is said of the writing."""
        return {}

    def read(self, task: str, text: str, size: tuple[int, int]) -> Extraction:
        """What an answer says.

        Args:
            task: The name of the task.
            text: The answer.
            size: Width and height of the picture.
        """
        if task in BOXED:
            return _objects([one for one in boxes(text, size) if self._wanted(task, one)])
        if task == "<REGION_PROPOSAL>":
            return _objects(nameless_boxes(text, size))
        if task == "<OCR_WITH_REGION>":
            return _lines(lines(text, size))
        if task == "<OPEN_VOCABULARY_DETECTION>":
            if "<poly>" in text:
                return _shapes(shapes(text, size, named=True))
            return _objects(boxes(text, size))
        if task in SHAPED:
            return _shapes(shapes(text, size, named=False))
        return Extraction(data={"text": bare(text).strip()})

    def _wanted(self, task: str, one: Named) -> bool:
        return task != "<CAPTION_TO_PHRASE_GROUNDING>" or one.name not in self._banned


def asked_for(instruction: str) -> tuple[str, str]:
    """Name of the task that an instruction begins with, and the question for the model.

    Raises:
        InvalidInput: There is no such task, or it lacks what it is about, or takes nothing.
    """
    match = NAME.fullmatch(instruction)
    task, words = (match[1], match[2].strip()) if match else ("", "")
    if task not in TASKS:
        raise InvalidInput(
            f"instruction={instruction[:100]!r}: it has to begin with a task, one of "
            f"{', '.join(TASKS)}",
            param="instruction",
        )
    question = TASKS[task]
    if ("{input}" in question) != bool(words):
        fault = "takes no more words" if words else "needs what it is about behind it"
        raise InvalidInput(
            f"instruction={instruction[:100]!r}: {task} {fault}", param="instruction"
        )
    return task, question.replace("{input}", words)


def _objects(found: list[Named]) -> Extraction:
    return Extraction(
        objects=tuple(DetectedObject(label=one.name, score=1.0, bbox=one.box) for one in found)
    )


def _lines(found: list[Named]) -> Extraction:
    return Extraction(
        entities=tuple(Entity(text=one.name, label=LINE, score=1.0, bbox=one.box) for one in found),
        data={"text": "\n".join(one.name for one in found), "regions": as_data(found)},
    )


def _shapes(found: list[Named]) -> Extraction:
    return Extraction(objects=_objects(found).objects, data={"regions": as_data(found)})
