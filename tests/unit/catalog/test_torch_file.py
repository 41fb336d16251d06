"""What a ``.pt`` file holds is read as data: nothing in it may be called or imported."""

from __future__ import annotations

import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny.torch_file import write_torch

from stelae.catalog.torch_file import read_torch_heads
from stelae.catalog.torch_table import FOLLOWED
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.torch_file import read_torch

DTYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_are_those_that_torch_wrote(tmp_path: Path, dtype: torch.dtype) -> None:
    table = {
        "weight": torch.arange(12).reshape(3, 4).to(dtype),
        "turned": torch.arange(6).reshape(2, 3).T.to(dtype),
        "part": torch.arange(10).to(dtype)[3:7],
        "number": torch.tensor(7).to(dtype),
        "none": torch.empty(0, 5, dtype=dtype),
    }
    torch.save(table, tmp_path / "table.pt")
    found = read_torch(tmp_path / "table.pt")
    assert found.keys() == table.keys()
    for name, tensor in table.items():
        assert torch.equal(found[name], tensor), name
        assert found[name].dtype is dtype


def test_table_of_a_module_is_read(tmp_path: Path) -> None:
    layer = torch.nn.Linear(5, 3)
    torch.save(layer.state_dict(), tmp_path / "linear.pt")
    found = read_torch(tmp_path / "linear.pt")
    assert torch.equal(found["weight"], layer.weight)
    assert torch.equal(found["bias"], layer.bias)


def test_many_tensors_and_long_names_are_read(tmp_path: Path) -> None:
    table = OrderedDict((f"layer.{i}." + "x" * i, torch.full((i,), i)) for i in range(300))
    torch.save(table, tmp_path / "table.pt")
    assert list(read_torch(tmp_path / "table.pt")) == list(table)


def test_small_checkpoints_are_what_torch_reads_too(tmp_path: Path) -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_torch(tmp_path / "linear.pt", {"weight": rows, "bias": rows[0]})
    theirs = torch.load(tmp_path / "linear.pt", weights_only=True)
    ours = read_torch(tmp_path / "linear.pt")
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


class Calls:
    """An object whose pickle calls something."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.reduced


HOSTILE = {
    "system": Calls(__import__("os").system, "touch /tmp/stelae-was-here"),
    "eval": Calls(eval, "1"),
    "getattr": Calls(getattr, "text", "upper"),
    "chain": {"weight": Calls(getattr, Calls(getattr, "text", "upper"), "__self__")},
    "inside": {"weight": torch.ones(2), "bias": Calls(print, "hello")},
    "module": torch.nn.Linear(2, 2),
    "parameter": {"weight": torch.nn.Parameter(torch.ones(2))},
    "type": {"weight": torch.nn.Linear},
    "list": [torch.ones(2)],
    "tensor": torch.ones(2),
    "nested": {"state": {"weight": torch.ones(2)}},
    "numbers": {"weight": 5},
    "key": {5: torch.ones(2)},
    "strings": {"weight": torch.ones(2), "note": "text"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_anything_but_a_table_of_tensors_is_refused(tmp_path: Path, name: str) -> None:
    torch.save(HOSTILE[name], tmp_path / "hostile.pt")
    with pytest.raises(UnsupportedCheckpoint, match="is not read"):
        read_torch(tmp_path / "hostile.pt")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_call_in_any_protocol_is_refused_by_name(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps(HOSTILE["system"], protocol=protocol)
    with pytest.raises(UnsupportedCheckpoint, match=r"posix\.system|instruction"):
        read_torch_heads(archive(tmp_path, data))


def archive(folder: Path, table: bytes, members: dict[str, bytes] | None = None) -> Path:
    """A file with a table and members of our choice."""
    path = folder / "made.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("made/data.pkl", table)
        for name, content in (members or {}).items():
            file.writestr(name, content)
    return path


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def tensor(count: int, offset: int, shape: list[int], strides: list[int], key: str = "0") -> bytes:
    """A table with one tensor of our choice."""

    def many(numbers: list[int]) -> bytes:
        longs = [pickle.dumps(number, protocol=2)[2:-1] for number in numbers]
        return b"(" + b"".join(longs) + b"t"

    storage = text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu")
    size = pickle.dumps(count, protocol=2)[2:-1]
    start = pickle.dumps(offset, protocol=2)[2:-1]
    place = b"(" + storage + size + b"tQ"
    rest = many(shape) + many(strides) + b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02}(" + text("w") + REBUILD + b"(" + place + start + rest + b"u."


REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
FOUR = {"made/data/0": bytes(16)}


def test_tensor_within_its_bytes_is_read(tmp_path: Path) -> None:
    heads = read_torch_heads(archive(tmp_path, tensor(4, 1, [3], [1]), FOUR))
    assert heads["w"].shape == (3,)
    assert heads["w"].offset == 1


SIZES: list[tuple[int, int, list[int], list[int]]] = [
    (4, 0, [5], [1]),
    (4, 2, [3], [1]),
    (4, 0, [2, 2], [4, 1]),
    (4, 0, [10**12], [0]),
    (4, 0, [4, 4], [0, 1]),
    (4, -1, [4], [1]),
    (4, 0, [-4], [1]),
    (4, 0, [4], [-1]),
    (4, 0, [4], []),
    (4, 0, [1] * 9, [1] * 9),
    (10**15, 0, [4], [1]),
    (-4, 0, [4], [1]),
    (5, 0, [5], [1]),
    (2**62, 0, [2**62], [1]),
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_tensor_beyond_its_bytes_is_refused_before_memory_is_taken(
    tmp_path: Path, sizes: tuple[int, int, list[int], list[int]]
) -> None:
    with pytest.raises(UnsupportedCheckpoint):
        read_torch(archive(tmp_path, tensor(*sizes), FOUR))


@pytest.mark.parametrize("key", ["1", "", "../0", "/etc/passwd", "0/../../../x"])
def test_tensor_without_bytes_in_the_archive_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="missing"):
        read_torch_heads(archive(tmp_path, tensor(4, 0, [4], [1], key), FOUR))


def test_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb/data.pkl", tensor(2**24, 0, [2**24], [1]))
        file.writestr("bomb/data/0", bytes(2**26))
    assert path.stat().st_size < 2**20
    with pytest.raises(UnsupportedCheckpoint, match="compressed"):
        read_torch(path)


def test_files_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Many entries of the directory may point at one place: a bomb without compression."""
    path = tmp_path / "quine.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("q/data.pkl", b"\x80\x02}.")
        file.writestr("q/data/0", bytes(10_000))
        for i in range(1, 50):
            info = zipfile.ZipInfo(f"q/data/{i}")
            first = file.getinfo("q/data/0")
            info.file_size = info.compress_size = first.file_size
            info.header_offset, info.CRC = first.header_offset, first.CRC
            file.filelist.append(info)
            file.NameToInfo[info.filename] = info
    with pytest.raises(UnsupportedCheckpoint, match="bytes"):
        read_torch(path)


def test_older_format_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(UnsupportedCheckpoint, match="not a zip archive"):
        read_torch_heads(tmp_path / "old.pt")


def test_numbers_in_the_other_order_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, tensor(4, 0, [4], [1]), {**FOUR, "made/byteorder": b"big"})
    with pytest.raises(UnsupportedCheckpoint, match="lowest byte first"):
        read_torch_heads(path)


def test_archive_without_table_or_with_two_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, b"\x80\x02}.", {"other/data.pkl": b"\x80\x02}."})
    with pytest.raises(UnsupportedCheckpoint, match="2 tables"):
        read_torch_heads(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"x" * 50])
def test_broken_file_gives_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pt").write_bytes(content)
    with pytest.raises(ModelLoadFailed):
        read_torch_heads(tmp_path / "broken.pt")


def test_missing_file_gives_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed):
        read_torch_heads(tmp_path / "nothing.pt")


def whole(folder: Path) -> bytes:
    torch.save({"weight": torch.arange(64.0).reshape(8, 8)}, folder / "whole.pt")
    return (folder / "whole.pt").read_bytes()


def test_file_that_ends_too_early_gives_a_typed_error(tmp_path: Path) -> None:
    data = whole(tmp_path)
    for end in range(0, len(data), 97):
        (tmp_path / "cut.pt").write_bytes(data[:end])
        with pytest.raises(ModelLoadFailed):
            read_torch(tmp_path / "cut.pt")


@given(st.data())
def test_no_table_of_random_instructions_does_more_than_fail(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    table = bytearray(tensor(4, 0, [4], [1]))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(table) - 1))
        table[place] = data.draw(st.integers(0, 255))
    try:
        heads = read_torch_heads(archive(folder, bytes(table), FOUR))
    except ModelLoadFailed:
        return
    assert all(head.size <= 16 for head in heads.values())


def test_deep_table_is_refused_without_recursion(tmp_path: Path) -> None:
    table = b"\x80\x02}(" + text("w") + b")" + b"\x85" * 1_000_000 + b"u."
    with pytest.raises(UnsupportedCheckpoint, match="'w' in it is no tensor"):
        read_torch_heads(archive(tmp_path, table))


def test_huge_table_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="larger than any"):
        read_torch_heads(archive(tmp_path, bytes(17 * 2**20)))


def test_instructions_that_build_objects_are_not_followed() -> None:
    names = {op.name for op in pickletools.opcodes if op.code.encode("latin-1") in FOLLOWED}
    assert len(names) == len(FOLLOWED)
    assert not {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "STACK_GLOBAL", "EXT1", "PERSID"} & names


def test_file_is_read_through_no_unpickler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError((arguments, options))

    whole(tmp_path)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert read_torch(tmp_path / "whole.pt")["weight"].shape == (8, 8)
