"""CLAP's files: what is read of them, and what is refused, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput, ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import Modality, OutputType, Similarity, Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

HEARING = "preprocessor_config.json"


@pytest.mark.parametrize("name", ["clap", "clap-fused"])
def test_model_makes_vectors_of_recordings_and_texts(zoo: Path, read: Read, name: str) -> None:
    spec = read(zoo / name)
    assert spec.inputs == (Modality.TEXT, Modality.AUDIO)
    assert (spec.tasks, spec.outputs) == ((Task.ENCODE, Task.SCORE), (OutputType.DENSE,))
    assert (spec.dimensions, spec.max_tokens) == (24, 38)
    assert (spec.similarity, spec.normalized) == (Similarity.COSINE, True)


def test_scale_of_cosines_is_that_of_the_weights(zoo: Path, read: Read) -> None:
    stored = load_file(zoo / "clap" / "model.safetensors")["logit_scale_a"]
    contrast = read(zoo / "clap").contrast
    assert contrast is not None
    assert contrast.scale == pytest.approx(float(np.exp(stored)))
    assert contrast.bias is None


def test_texts_may_be_kept_shorter(zoo: Path, read: Read) -> None:
    assert read(zoo / "clap", max_tokens=10).max_tokens == 10
    with pytest.raises(InvalidInput, match=r"choose 1\.\.38"):
        read(zoo / "clap", max_tokens=39)


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"truncation": "fusion"}, UnsupportedCheckpoint, "truncation='fusion'"),
        ({"padding": "mirror"}, UnsupportedCheckpoint, "padding='mirror'"),
        ({"top_db": 80}, UnsupportedCheckpoint, "top_db=80"),
        ({"feature_extractor_type": "X"}, UnsupportedCheckpoint, "feature_extractor_type='X'"),
        ({"feature_size": 32}, UnsupportedCheckpoint, "reads 64 bins"),
        ({"max_length_s": 11}, UnsupportedCheckpoint, "at most 1024 times"),
        ({"sampling_rate": None}, ModelLoadFailed, "sampling_rate"),
        ({"hop_length": 0}, ModelLoadFailed, "hop_length=0"),
        ({"fft_window_size": 10**9}, ModelLoadFailed, "fft_window_size=1000000000"),
        ({"frequency_max": 9000}, ModelLoadFailed, "hears 50 to 9000 Hz"),
        ({"frequency_min": 7000}, ModelLoadFailed, "hears 7000 to 7000 Hz"),
        ({"frequency_max": "high"}, ModelLoadFailed, "frequency_max='high'"),
    ],
)
def test_hearing_that_is_not_implemented_is_refused(
    edited: Edit, read: Read, changes: dict[str, Any], kind: type[StelaeError], told: str
) -> None:
    with pytest.raises(kind) as caught:
        read(edited("clap", HEARING, **changes))
    assert told in str(caught.value)


def test_model_that_does_not_say_how_it_hears_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("clap", "config.json")
    assert json.loads((folder / HEARING).read_text("utf-8"))
    (folder / HEARING).unlink()
    with pytest.raises(ModelLoadFailed, match="says how recordings are heard"):
        read(folder)


@pytest.mark.parametrize("name", ["logit_scale_a", "text_projection.linear2.weight"])
def test_tensor_that_is_missing_is_named(edited: Edit, read: Read, name: str) -> None:
    folder = edited("clap", "config.json")
    tensors = load_file(folder / "model.safetensors")
    del tensors[name]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelLoadFailed, match=name.replace(".", r"\.")):
        read(folder)
