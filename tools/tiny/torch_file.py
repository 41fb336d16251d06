"""``.pt`` files as torch writes them, the same bytes every time and without torch."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from tiny.numbers import Tensor

REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
ORDERED = b"ccollections\nOrderedDict\n)R"
"""Pickle's words for "call this"; see ``pickletools`` of the standard library."""


def write_torch(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a state dict.

    Args:
        path: The file.
        tensors: Contiguous fp32 tensors by name.
    """
    names = list(tensors)
    body = b"".join(_item(name, str(i), tensors[name]) for i, name in enumerate(names))
    data = {f"data/{i}": tensors[name].tobytes() for i, name in enumerate(names)}
    write_archive(path, b"\x80\x02" + ORDERED + b"(" + body + b"u.", data)


def write_archive(path: Path, table: bytes, data: dict[str, bytes] | None = None) -> None:
    """Write an archive with a pickle and files of numbers."""
    parts = {"data.pkl": table, "byteorder": b"little", **(data or {}), "version": b"3\n"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, content in parts.items():
            file.writestr(zipfile.ZipInfo(f"{path.stem}/{name}"), content)


def _item(name: str, key: str, tensor: Tensor) -> bytes:
    storage = _text("storage") + b"ctorch\nFloatStorage\n" + _text(key) + _text("cpu")
    storage = b"(" + storage + _number(tensor.size) + b"tQ"
    strides = tuple(step // tensor.itemsize for step in tensor.strides)
    sizes = _numbers(tensor.shape) + _numbers(strides)
    return _text(name) + REBUILD + b"(" + storage + _number(0) + sizes + b"\x89" + ORDERED + b"tR"


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_number, values)) + b"t"
