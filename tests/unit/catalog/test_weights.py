from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from stelae.catalog.weights import TensorHead, read_header, weight_files
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


def test_index_with_a_pickle_is_refused(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.bin"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsupportedCheckpoint, match="safetensors"):
        weight_files(tmp_path, "")
