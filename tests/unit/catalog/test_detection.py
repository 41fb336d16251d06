"""Checkpoints that look at pictures: what is read of them, and what is refused, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.abilities import Finding
from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput, ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import Modality, Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

CONFIG, READING = "config.json", "preprocessor_config.json"
WRITES = (Finding.OBJECTS, Finding.ENTITIES, Finding.DATA)

FOUND: dict[str, tuple[str, tuple[Finding, ...], int]] = {
    "detr": ("detr", (Finding.OBJECTS,), 96 * 160 // 256),
    "rt-detr": ("rt-detr", (Finding.OBJECTS,), 96 * 96 // 256),
    "owlv2": ("owl-v2", (Finding.OBJECTS,), 96 * 96 // 256),
    "grounding-dino": ("grounding-dino", (Finding.OBJECTS,), 96 * 160 // 256),
    "florence2": ("florence-2", WRITES, 128),
    "donut": ("donut", (Finding.DATA,), 128),
}


@pytest.mark.parametrize("name", FOUND)
def test_model_looks_at_pictures_and_does_nothing_else(zoo: Path, read: Read, name: str) -> None:
    spec = read(zoo / name)
    layout, finds, longest = FOUND[name]
    assert spec.extraction is not None
    assert (spec.extraction.layout, spec.extraction.finds) == (layout, finds)
    assert spec.tasks == (Task.EXTRACT,)
    assert spec.inputs == (Modality.IMAGE,)
    assert spec.outputs == ()
    assert spec.max_tokens == longest


def test_labels_are_those_of_the_checkpoint_each_once(zoo: Path, read: Read) -> None:
    extraction = read(zoo / "detr").extraction
    assert extraction is not None
    assert extraction.labels == ("N/A", "person", "clay tablet", "cat", "house", "tree")


@pytest.mark.parametrize("name", ["owlv2", "grounding-dino"])
def test_labels_are_the_callers(zoo: Path, read: Read, name: str) -> None:
    extraction = read(zoo / name).extraction
    assert extraction is not None
    assert extraction.labels == ()


def test_size_that_the_file_leaves_out_is_the_librarys(edited: Edit, read: Read) -> None:
    folder = edited("rt-detr", READING, size=None)
    assert read(folder).max_tokens == 640 * 640 // 256


def test_tokenizer_may_be_a_vocabulary_alone(edited: Edit, read: Read) -> None:
    folder = edited("owlv2", "vocab.json", a=1)
    (folder / "tokenizer.json").unlink()
    assert read(folder).tokenizer == "vocab.json"


NONE: dict[str, Any] = {}
FAULTS: list[tuple[str, str, dict[str, Any], type[StelaeError], str]] = [
    ("detr", CONFIG, {"backbone_config": None, "backbone": "resnet50"}, UnsupportedCheckpoint,
     "backbone 'resnet50' from the library timm"),
    ("detr", CONFIG, {"backbone_config": {"model_type": "timm_backbone", "backbone": "resnet18"}},
     UnsupportedCheckpoint, "'resnet18' from the library timm"),
    ("grounding-dino", CONFIG, {"backbone_config": 3}, ModelLoadFailed, "type dict was expected"),
    ("detr", CONFIG, {"id2label": None}, ModelLoadFailed, "lacks the option 'id2label'"),
    ("detr", CONFIG, {"id2label": {"1": "a", "2": "b"}}, ModelLoadFailed, "names by the numbers"),
    ("rt-detr", CONFIG, {"id2label": {}}, ModelLoadFailed, "names by the numbers"),
    ("rt-detr", READING, {"image_processor_type": "ViTImageProcessor"}, UnsupportedCheckpoint,
     "known are RTDetrImageProcessor"),
    ("owlv2", READING, {"size": {"longest_edge": 96}}, UnsupportedCheckpoint, "sets size="),
    ("florence2", CONFIG, {"vision_config": {"model_type": "davit"}}, UnsupportedCheckpoint,
     "laid out for code of its own"),
    ("florence2", CONFIG, {"text_config": None}, ModelLoadFailed, "max_position_embeddings"),
    ("donut", CONFIG, {"encoder": {"model_type": "vit"}, "decoder": {"model_type": "trocr"}},
     UnsupportedCheckpoint, "'trocr' behind 'vit'"),
    ("donut", CONFIG, {"decoder": None}, ModelLoadFailed, "lacks the option 'decoder'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "changes", "kind", "said"), FAULTS)
def test_what_is_not_implemented_is_refused_by_name(
    edited: Edit,
    read: Read,
    name: str,
    file: str,
    changes: dict[str, Any],
    kind: type[StelaeError],
    said: str,
) -> None:
    with pytest.raises(kind) as caught:
        read(edited(name, file, **changes))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["owlv2", "grounding-dino", "florence2", "donut"])
def test_checkpoint_without_a_tokenizer_is_refused(edited: Edit, read: Read, name: str) -> None:
    folder = edited(name, CONFIG)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelLoadFailed, match=r"none of tokenizer\.json"):
        read(folder)


@pytest.mark.parametrize("name", FOUND)
def test_checkpoint_without_a_processor_is_refused(edited: Edit, read: Read, name: str) -> None:
    folder = edited(name, CONFIG)
    (folder / READING).unlink()
    with pytest.raises(ModelLoadFailed, match="how pictures are resized"):
        read(folder)


@pytest.mark.parametrize("name", FOUND)
def test_longest_input_cannot_be_lowered(zoo: Path, read: Read, name: str) -> None:
    with pytest.raises(InvalidInput, match="max_tokens=10"):
        read(zoo / name, max_tokens=10)
