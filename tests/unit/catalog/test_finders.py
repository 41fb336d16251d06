"""Checkpoints that find things: which they are, and which would need what is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.abilities import Classify, Finding
from stelae.catalog.finders import entailment
from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

CONFIG = "gliner_config.json"

KINDS = [
    ("gliner-span", "UniEncoderSpanGLiNER", "gliner", (Finding.ENTITIES,)),
    ("gliner-token", "UniEncoderTokenGLiNER", "gliner", (Finding.ENTITIES,)),
    ("gliner-bi", "BiEncoderSpanGLiNER", "gliner", (Finding.ENTITIES,)),
    ("gliner-bi-token", "BiEncoderTokenGLiNER", "gliner", (Finding.ENTITIES,)),
    (
        "gliner-relations",
        "UniEncoderSpanRelexGLiNER",
        "gliner",
        (Finding.ENTITIES, Finding.RELATIONS),
    ),
    ("gliclass", "GLiClass", "gliclass", (Finding.CLASSIFICATIONS,)),
]


@pytest.mark.parametrize(("name", "architecture", "layout", "finds"), KINDS)
def test_finder_is_known_by_its_files(
    zoo: Path, read: Read, name: str, architecture: str, layout: str, finds: tuple[Finding, ...]
) -> None:
    spec = read(zoo / name)
    assert spec.tasks == (Task.EXTRACT,)
    assert spec.backbone.architecture == architecture
    assert spec.extraction is not None
    assert (spec.extraction.layout, spec.extraction.finds) == (layout, finds)
    assert spec.max_tokens == 256


def test_model_that_judges_sentences_finds_classes_too(zoo: Path, read: Read) -> None:
    spec = read(zoo / "cross-encoder-labels")
    assert spec.tasks == (Task.SCORE, Task.EXTRACT)
    assert spec.extraction is not None
    assert spec.extraction.finds == (Finding.CLASSIFICATIONS,)


@pytest.mark.parametrize(
    ("labels", "position"),
    [
        (("contradiction", "neutral", "entailment"), 2),
        (("ENTAILMENT", "not_entailment"), 0),
        (("not_entailment", "neutral"), None),
        (("LABEL_0",), None),
    ],
)
def test_entailment_is_found_by_name(labels: tuple[str, ...], position: int | None) -> None:
    assert entailment(Classify(labels=labels)) == position


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("gliner-span", CONFIG, {"encoder_config": None}, "nobody/no-such-encoder"),
    ("gliner-bi", CONFIG, {"labels_encoder_config": None}, "nobody/no-such-labels"),
    ("gliner-span", CONFIG, {"labels_decoder": "gpt2"}, "write their labels"),
    ("gliner-span", CONFIG, {"words_splitter_type": "stanza"}, "words_splitter_type='stanza'"),
    ("gliner-span", CONFIG, {"encoder_config": {"auto_map": {}}}, "code of its own"),
    ("bert-mean", "glirel_config.json", {"model_name": "x/y"}, "GLiREL"),
    ("gliner-span", "adapter_config.json", {"r": 4}, "adapters"),
    ("gliclass", "config.json", {"architecture_type": "decoder-kv"}, "decoder-kv"),
    ("gliclass", "config.json", {"encoder_config": None}, "nobody/no-such-encoder"),
    ("gliclass", "config.json", {"encoder_config": {"auto_map": {}}}, "code of its own"),
]


@pytest.mark.parametrize(("name", "file", "changes", "said"), REFUSED)
def test_what_would_have_to_be_fetched_or_run_is_refused_by_name(
    edited: Edit, read: Read, name: str, file: str, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint) as caught:
        read(edited(name, file, **changes))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("gliner-span", "tokenizer.json"),
        ("gliner-span", "tokenizer_config.json"),
        ("gliner-bi", "labels_encoder/tokenizer.json"),
        ("gliclass", "tokenizer.json"),
    ],
)
def test_tokenizer_that_is_missing_is_named(edited: Edit, read: Read, name: str, file: str) -> None:
    folder = edited(name, "notes.json")
    (folder / file).unlink()
    with pytest.raises(UnsupportedCheckpoint) as caught:
        read(folder)
    assert file in str(caught.value)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_width": 0}, "max_width=0"),
        ({"max_len": "long"}, "max_len='long'"),
        ({"encoder_config": [1]}, "encoder_config"),
        ({"relations_layer": "mlp", "span_mode": "token_level"}, "token_level"),
    ],
)
def test_option_of_the_wrong_kind_is_named(
    edited: Edit, read: Read, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelLoadFailed) as caught:
        read(edited("gliner-span", CONFIG, **changes))
    assert said in str(caught.value)


def test_weights_that_are_missing_are_named(edited: Edit, read: Read) -> None:
    folder = edited("gliner-span", "notes.json")
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ModelLoadFailed, match=r"model\.safetensors"):
        read(folder)


def test_longest_input_can_be_lowered_and_not_raised(zoo: Path, read: Read) -> None:
    assert read(zoo / "gliner-span", max_tokens=100).max_tokens == 100
    with pytest.raises(InvalidInput, match="256"):
        read(zoo / "gliner-span", max_tokens=1000)
