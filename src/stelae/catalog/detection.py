"""Checkpoints that find objects in pictures: what they were trained to find, or what is asked.

Source: transformers 5.17, ``models/detr``, ``models/rt_detr``, ``models/owlv2``,
``models/grounding_dino`` and their kin.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from stelae.catalog.abilities import Extractor, Finding
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, exists, inside, read_object
from stelae.catalog.options import need, positive, take
from stelae.catalog.processing import processor_class, processor_options
from stelae.catalog.spec import Backbone, ModelSpec, Source
from stelae.catalog.weights import read_header, weight_files
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality

SQUARE = 16
"""Side in pixels of a square that counts as one token."""


class Detector(NamedTuple):
    """A class of models.

    Attributes:
        layout: How objects are read from what the model gives out.
        processor: What reads its pictures.
        threshold: The library's own.
        asked: Whether it is told in words what to look for.
        trunk: Whether a backbone that is stated by itself comes before it.
    """

    layout: str
    processor: str
    threshold: float = 0.5
    asked: bool = False
    trunk: bool = True


_OWL = Detector("owl-vit", "OwlViTImageProcessor", 0.1, asked=True, trunk=False)
_DINO = Detector("grounding-dino", "GroundingDinoImageProcessor", 0.25, asked=True)

DETECTORS: dict[str, Detector] = {
    "DetrForObjectDetection": Detector("detr", "DetrImageProcessor"),
    "TableTransformerForObjectDetection": Detector("detr", "DetrImageProcessor"),
    "YolosForObjectDetection": Detector("detr", "YolosImageProcessor", trunk=False),
    "RTDetrForObjectDetection": Detector("rt-detr", "RTDetrImageProcessor"),
    "RTDetrV2ForObjectDetection": Detector("rt-detr", "RTDetrImageProcessor"),
    "DFineForObjectDetection": Detector("rt-detr", "RTDetrImageProcessor"),
    "OwlViTForObjectDetection": _OWL,
    "Owlv2ForObjectDetection": _OWL._replace(layout="owl-v2", processor="Owlv2ImageProcessor"),
    "GroundingDinoForObjectDetection": _DINO,
    "MMGroundingDinoForObjectDetection": _DINO,
}
"""By class name in ``config.json``."""

TOKENIZERS = ("tokenizer.json", "vocab.json", "sentencepiece.bpe.model")
"""Files that the library builds a tokenizer from; the first that is there counts."""

LAYOUTS = frozenset(detector.layout for detector in DETECTORS.values())

WIDE = {"shortest_edge": 800, "longest_edge": 1333}
SIZES: dict[str, Json] = {
    "DetrImageProcessor": WIDE,
    "YolosImageProcessor": WIDE,
    "GroundingDinoImageProcessor": WIDE,
    "RTDetrImageProcessor": {"height": 640, "width": 640},
    "OwlViTImageProcessor": {"height": 768, "width": 768},
    "Owlv2ImageProcessor": {"height": 960, "width": 960},
}
"""How large pictures are made where the file does not say."""


def read_detector(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one that finds objects.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, "config.json") or {}
    architecture = class_of(config)
    if architecture not in DETECTORS:
        return None
    detector = DETECTORS[architecture]
    file = f"config.json in {root}"
    if detector.trunk:
        _check_trunk(config, file)
    options, home = processor_options(root, "")
    kind = processor_class(options, home, (detector.processor,))
    reader = options | {"image_processor_type": kind}
    backbone = backbone_of(root, architecture, {**config, "image_processor": reader})
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone,
        inputs=(Modality.IMAGE,),
        extraction=Extractor(
            layout=detector.layout,
            finds=(Finding.OBJECTS,),
            labels=() if detector.asked else tuple(dict.fromkeys(names_of(config, file))),
            threshold=detector.threshold,
        ),
        max_tokens=whole(entry, root, squares(options.get("size", SIZES[kind]), options, home)),
        tokenizer=tokenizer_of(root) if detector.asked else "",
    )


def class_of(config: Json) -> str:
    """The class named in ``config.json``; empty if there is none."""
    match config.get("architectures"):
        case [str(name), *_]:
            return name
    return ""


def backbone_of(root: Path, architecture: str, config: Json) -> Backbone:
    """A model of the library, with its weights looked at.

    Raises:
        UnsupportedCheckpoint: The weights are in another format.
        ModelLoadFailed: There are none, or they are broken.
    """
    weights = weight_files(root, "")
    for name in weights:
        read_header(inside(root, name))
    return Backbone(folder="", architecture=architecture, config=config, weights=weights)


def tokenizer_of(root: Path) -> str:
    """The file of the tokenizer, which the library reads itself.

    Raises:
        ModelLoadFailed: There is none.
    """
    found = next((name for name in TOKENIZERS if exists(root, name)), None)
    if found is None:
        raise ModelLoadFailed(
            f"none of {', '.join(TOKENIZERS)} in {root}, so no text can be read",
            hint="fetch the checkpoint again, with all its files",
        )
    return found


def whole(entry: ModelEntry, root: Path, tokens: int) -> int:
    """The longest input; of models for pictures it cannot be lowered.

    Raises:
        InvalidInput: The entry asks for that.
    """
    if entry.max_tokens is not None:
        raise InvalidInput(
            f"max_tokens={entry.max_tokens}: the checkpoint in {root} reads pictures of a size of "
            "its own; leave it out",
            param="max_tokens",
        )
    return tokens


def names_of(config: Json, file: str) -> list[str]:
    """What each class is called, in order.

    Raises:
        ModelLoadFailed: The file does not say.
    """
    table = need(config, "id2label", dict, file)
    names = [table.get(str(i)) for i in range(len(table))]
    if not names or not all(isinstance(name, str) for name in names):
        raise ModelLoadFailed(
            f"{file} sets id2label={str(table)[:100]}; names by the numbers 0, 1, 2 and so on "
            "were expected"
        )
    return [str(name) for name in names]


def _check_trunk(config: Json, file: str) -> None:
    """Refuse backbones of other libraries, and those that the hub would be asked for."""
    trunk = take(config, "backbone_config", dict, file) or {}
    kind = str(trunk.get("model_type", ""))
    if not kind or kind.startswith("timm"):
        given = config.get("backbone") or trunk.get("backbone") or kind
        raise UnsupportedCheckpoint(
            f"{file} takes the backbone {given!r} from the library timm, which is not implemented; "
            "backbones of transformers itself are, stated by backbone_config",
            hint="facebook/detr-resnet-50 and -101 have a revision 'no_timm'; PekingU/rtdetr_r50vd "
            "finds the same and more of it",
        )


def squares(size: object, options: Json, file: str) -> int:
    """Tokens of the largest picture.

    Args:
        size: As the file gives it.
        options: The others of that file.
        file: Its name, for messages.

    Raises:
        UnsupportedCheckpoint: It is given in a form that is not known.
    """
    match size:
        case {"height": int(height), "width": int(width)}:
            area = height * width
        case {"shortest_edge": int(short), "longest_edge": int(long)}:
            area = short * long
        case [int(height), int(width)]:
            area = height * width
        case int(short):
            area = short * (positive(options, "max_size", file) or WIDE["longest_edge"])
        case _:
            raise UnsupportedCheckpoint(
                f"{file} sets size={size!r}, which is not implemented; known are height and width, "
                "or shortest_edge and longest_edge"
            )
    return max(1, area // SQUARE**2)
