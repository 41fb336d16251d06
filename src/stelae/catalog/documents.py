"""Checkpoints that write what a picture holds: Florence-2 and Donut.

Source: transformers 5.17, ``models/florence2`` and ``models/donut``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stelae.catalog.abilities import Extractor, Finding
from stelae.catalog.detection import backbone_of, class_of, tokenizer_of, whole
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, read_object
from stelae.catalog.options import need, positive, take
from stelae.catalog.processing import processor_class, processor_options
from stelae.catalog.spec import ModelSpec, Source
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality


class Writer(NamedTuple):
    """A class of models.

    Attributes:
        layout: How its answers are read.
        processor: What reads its pictures.
        finds: What its answers hold.
        check: Refuses other models of the same class.
        text: The part of ``config.json`` that says how much it writes.
        reading: The instruction at which it writes down what a picture says.
    """

    layout: str
    processor: str
    finds: tuple[Finding, ...]
    check: Callable[[Json, str], None]
    text: str
    reading: str


def _check_florence(config: Json, file: str) -> None:
    vision = need(config, "vision_config", dict, file)
    if vision.get("model_type") != "florence_vision":
        raise UnsupportedCheckpoint(
            f"{file} is laid out for code of its own (vision_config of the type "
            f"{vision.get('model_type')!r}), which is not run",
            hint="the same weights are at florence-community/Florence-2-base and its kin, laid out "
            "for transformers",
        )


def _check_donut(config: Json, file: str) -> None:
    kinds = tuple(
        need(config, part, dict, file).get("model_type") for part in ("encoder", "decoder")
    )
    if kinds != ("donut-swin", "mbart"):
        raise UnsupportedCheckpoint(
            f"{file} puts {kinds[1]!r} behind {kinds[0]!r}, which is not implemented; known is "
            "Donut: 'mbart' behind 'donut-swin'"
        )


WRITERS = {
    "Florence2ForConditionalGeneration": Writer(
        "florence-2",
        "CLIPImageProcessor",
        (Finding.OBJECTS, Finding.ENTITIES, Finding.DATA),
        _check_florence,
        "text_config",
        reading="<OCR>",
    ),
    "VisionEncoderDecoderModel": Writer(
        "donut", "DonutImageProcessor", (Finding.DATA,), _check_donut, "decoder", reading=""
    ),
}
"""By class name in ``config.json``."""

LAYOUTS = frozenset(writer.layout for writer in WRITERS.values())


def read_document(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one that writes what pictures hold.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, "config.json") or {}
    architecture = class_of(config)
    if architecture not in WRITERS:
        return None
    writer, file = WRITERS[architecture], f"config.json in {root}"
    writer.check(config, file)
    options, home = processor_options(root, "")
    kind = processor_class(options, home, (writer.processor,))
    processor = read_object(root, "processor_config.json") or {}
    parts = {
        "image_processor": options | {"image_processor_type": kind},
        "processor": {k: v for k, v in processor.items() if k != "image_processor"},
        "generation": read_object(root, "generation_config.json") or {},
    }
    text = take(config, writer.text, dict, file) or {}
    longest = positive(text, "max_position_embeddings", f"{writer.text} of {file}")
    if longest is None:
        raise ModelLoadFailed(f"{writer.text} of {file} lacks the option 'max_position_embeddings'")
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone_of(root, architecture, {**config, **parts}),
        inputs=(Modality.IMAGE,),
        extraction=Extractor(
            layout=writer.layout, finds=writer.finds, threshold=0.0, reading=writer.reading
        ),
        max_tokens=whole(entry, root, longest),
        tokenizer=tokenizer_of(root),
    )
