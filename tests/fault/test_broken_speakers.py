"""Models that read aloud whose faults show only on loading or reading: a typed error."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_speech import asked, heard, load, speaking, spoken
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tiny.torch_file import write_torch

from stelae.errors import EngineFailed, ModelLoadFailed, UnsupportedCheckpoint

WEIGHTS = "model.safetensors"
Tensors = dict[str, NDArray[np.float32]]


def copied(zoo: Path, tmp_path: Path) -> tuple[Path, Tensors]:
    folder = shutil.copytree(zoo / "vits", tmp_path / "vits")
    return folder, load_file(folder / WEIGHTS)


def test_tensor_that_is_missing_is_named(zoo: Path, tmp_path: Path) -> None:
    folder, tensors = copied(zoo, tmp_path)
    del tensors["decoder.conv_pre.bias"]
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(UnsupportedCheckpoint, match=r"decoder\.conv_pre\.bias are missing"):
        load(folder)


def test_tensor_of_another_shape_is_refused(zoo: Path, tmp_path: Path) -> None:
    folder, tensors = copied(zoo, tmp_path)
    tensors["decoder.conv_pre.bias"] = np.zeros(3, np.float32)
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ModelLoadFailed):
        load(folder)


async def test_torchs_own_file_is_read_as_tensors(zoo: Path, tmp_path: Path) -> None:
    folder, tensors = copied(zoo, tmp_path)
    write_torch(folder / "pytorch_model.bin", tensors)
    (folder / WEIGHTS).unlink()
    made = []
    for place in (folder, zoo / "vits"):
        async with speaking(place) as engine:
            made.append(await heard(engine, "a day", seed=1))
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("shift", [20.0, 800.0, float("nan")])
async def test_model_that_would_never_end_is_stopped(
    zoo: Path, tmp_path: Path, shift: float
) -> None:
    folder, tensors = copied(zoo, tmp_path)
    tensors["duration_predictor.flows.0.translate"] -= np.float32(shift)
    tensors["duration_predictor.flows.0.log_scale"] *= np.float32(0)
    save_file(tensors, folder / WEIGHTS)
    async with speaking(folder) as engine:
        with pytest.raises(EngineFailed, match="longer than 240 s"):
            await spoken(engine, asked("a day", seed=1))


@pytest.mark.parametrize(
    "tokens",
    [
        np.zeros((2, 3)),
        np.zeros((3, 3), np.int64),
        np.full((2, 3), 16),
        np.full((2, 3), -1),
        np.zeros((2, 0), np.int64),
        np.array([{"code": "runs"}], object),
    ],
    ids=["floats", "rows", "high", "negative", "empty", "pickled"],
)
def test_voice_that_holds_no_tokens_of_the_model_is_refused(
    zoo: Path, tmp_path: Path, tokens: NDArray[Any]
) -> None:
    folder = shutil.copytree(zoo / "bark", tmp_path / "bark")
    np.save(folder / "speaker_embeddings/announcer_coarse_prompt.npy", tokens)
    with pytest.raises(ModelLoadFailed, match=r"announcer_coarse_prompt\.npy .* 'announcer'"):
        load(folder)


def test_voice_that_is_no_file_of_numbers_is_refused(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "bark", tmp_path / "bark")
    (folder / "speaker_embeddings/announcer_coarse_prompt.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(ModelLoadFailed, match=r"announcer_coarse_prompt\.npy"):
        load(folder)
