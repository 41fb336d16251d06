from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save
from tiny.torch_file import write_torch

from stelae.catalog.weights import TensorHead, read_header, read_numbers, weight_files
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint


def _file(folder: Path, header: object, data: bytes = b"") -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def test_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    tensors = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((), np.int64), "c": np.zeros(0)}
    path = tmp_path / "model.safetensors"
    path.write_bytes(save(tensors, metadata={"format": "pt"}))
    heads = read_header(path)
    assert {name: (head.dtype, head.shape) for name, head in heads.items()} == {
        "a": ("F32", (2, 3)),
        "b": ("I64", ()),
        "c": ("F64", (0,)),
    }


def test_head_has_offsets(tmp_path: Path) -> None:
    head = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    assert read_header(_file(tmp_path, {"x": head}, b"1234"))["x"] == TensorHead(
        dtype="F32", shape=(1,), data_offsets=(0, 4)
    )


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"123"),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345"),
        ({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"),
        ({"x": {"dtype": "X99", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": ["a"], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [10**30], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": "text"}, b""),
        ([], b""),
        (b"{", b""),
        (b"[" * 100_000, b""),
    ],
)
def test_header_that_does_not_fit_is_refused(tmp_path: Path, header: object, data: bytes) -> None:
    with pytest.raises(ModelLoadFailed):
        read_header(_file(tmp_path, header, data))


@given(data=st.binary(max_size=64))
def test_any_bytes_give_tensors_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelLoadFailed):
        read_header(path)


def test_impossible_header_length_reads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((2**63).to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelLoadFailed, match="header length"):
        read_header(path)


@pytest.mark.parametrize("table", [None, {}, {"a": 1}, []])
def test_index_without_files_is_refused(tmp_path: Path, table: object) -> None:
    index = {"weight_map": table}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelLoadFailed, match="weight_map"):
        weight_files(tmp_path, "")


def test_index_with_a_missing_file_is_refused(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelLoadFailed, match="missing"):
        weight_files(tmp_path, "")


def test_safetensors_go_before_files_of_torch(tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "model.safetensors"):
        (tmp_path / name).touch()
    assert weight_files(tmp_path, "") == ("model.safetensors",)
    (tmp_path / "model.safetensors").unlink()
    assert weight_files(tmp_path, "") == ("pytorch_model.bin",)


def test_shards_of_torch_are_found_through_their_index(tmp_path: Path) -> None:
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    index = {"weight_map": {"a": names[1], "b": names[0], "c": names[1]}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    for name in names:
        (tmp_path / name).touch()
    assert weight_files(tmp_path, "") == tuple(names)


@pytest.mark.parametrize("value", [2.5, -1.0, 1e-8])
def test_one_number_is_the_same_in_both_formats(tmp_path: Path, value: float) -> None:
    numbers = np.array([0.0, value], np.float32)
    (tmp_path / "a.safetensors").write_bytes(save({"x": numbers, "y": numbers[1:]}))
    write_torch(tmp_path / "a.bin", {"x": numbers, "y": numbers[1:]})
    for file in ("a.safetensors", "a.bin"):
        assert read_numbers(tmp_path / file, "y") == numbers[1:].tobytes()
        assert read_header(tmp_path / file)["x"].shape == (2,)


def test_index_with_another_format_is_refused(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.h5"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsupportedCheckpoint, match="safetensors"):
        weight_files(tmp_path, "")
