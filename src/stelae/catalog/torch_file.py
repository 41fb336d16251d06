"""What a ``.pt`` file of torch says it holds, without running any of it.

Such a file is a zip archive: the tensors' bytes, and a pickle that says how they are
named and shaped. Everything that it says of sizes is checked before memory is taken.

Source: torch 2.13, ``torch/serialization.py``.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path

from stelae.catalog.torch_table import ITEM_BYTES, SHOWN, OddTable, View, read_table
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

TORCH_SUFFIXES = frozenset({".pt", ".bin"})

MAX_TABLE_BYTES = 16 * 2**20
"""Largest table of tensors; that of a model with a thousand layers is below 4 MB."""

MAX_AXES = 8

ENCRYPTED = 1
"""Flag of a file in a zip archive."""

ZIP = b"PK\x03\x04"

MEND = (
    "where you trust the file, load it with torch and save its tensors with "
    "safetensors.torch.save_file"
)

Members = dict[str, zipfile.ZipInfo]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in the archive.

    Attributes:
        dtype: Format of its numbers, as safetensors calls it.
        shape: Its shape.
        strides: Numbers from one entry to the next, by axis.
        offset: Its first number, counted from the beginning of its member.
        member: Name in the archive of the file with its numbers.
        size: Bytes of that file.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    member: str
    size: int


def read_torch_heads(path: Path) -> dict[str, StoredTensor]:
    """Tensors that a ``.pt`` file says it holds, by name.

    Raises:
        UnsupportedCheckpoint: It is of the older format that is no archive, or holds
            something else than a table of tensors.
        ModelLoadFailed: It is broken.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(ZIP)) != ZIP:
                raise OddTable("it is not a zip archive, as torch writes since release 1.6")
        with zipfile.ZipFile(path) as archive:
            return _heads(path, archive)
    except OddTable as odd:
        raise UnsupportedCheckpoint(f"{path} is not read: {odd}", hint=MEND) from odd
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"{path} is not a whole torch file: {error}", hint="fetch the checkpoint again"
    )


def read_torch_numbers(path: Path, name: str) -> bytes:
    """The bytes of one tensor whose numbers lie in order.

    Raises:
        KeyError: There is no such tensor.
        UnsupportedCheckpoint: As for ``read_torch_heads``, or they do not.
        ModelLoadFailed: The file is broken.
    """
    head = read_torch_heads(path)[name]
    each = ITEM_BYTES[head.dtype]
    steps = [each * prod(head.shape[axis + 1 :]) for axis in range(len(head.shape))]
    if [each * step for step in head.strides] != steps:
        raise UnsupportedCheckpoint(f"the numbers of {name[:SHOWN]!r} in {path} are not in order")
    try:
        with zipfile.ZipFile(path) as archive:
            data = archive.read(head.member)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise _broken(path, error) from error
    start = head.offset * each
    return data[start : start + each * prod(head.shape)]


def _heads(path: Path, archive: zipfile.ZipFile) -> dict[str, StoredTensor]:
    members = {info.filename: info for info in archive.infolist()}
    _check_members(members, path.stat().st_size)
    tables = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(tables) != 1:
        raise OddTable(f"it has {len(tables)} tables data.pkl")
    home = tables[0].removesuffix("data.pkl")
    if f"{home}byteorder" in members and archive.read(f"{home}byteorder") != b"little":
        raise OddTable("its numbers are not stored lowest byte first")
    if members[tables[0]].file_size > MAX_TABLE_BYTES:
        raise OddTable("its table of tensors is larger than any model's")
    views = read_table(archive.read(tables[0]))
    return {name: _tensor(name, view, home, members) for name, view in views.items()}


def _check_members(members: Members, size: int) -> None:
    """Refuse an archive that would grow when it is read."""
    for info in members.values():
        stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
        if not stored or info.flag_bits & ENCRYPTED:
            raise OddTable("a file in it is compressed or encrypted, as torch never does")
    total = sum(info.file_size for info in members.values())
    if total > size:
        raise OddTable(f"its files have {total} bytes, it has {size}")


def _tensor(name: str, view: View, home: str, members: Members) -> StoredTensor:
    """A tensor whose numbers all lie in the archive."""
    storage = view.storage
    member = f"{home}data/{storage.key}"
    size = members[member].file_size if member in members else -1
    if size != storage.count * storage.bytes_each:
        raise OddTable(f"the bytes of {name[:SHOWN]!r} are missing, or not as many as it says")
    if not _fits(view):
        raise OddTable(f"{name[:SHOWN]!r} is larger than its bytes, or has some of them twice")
    return StoredTensor(storage.dtype, view.shape, view.strides, view.offset, member, size)


def _fits(view: View) -> bool:
    """Whether a tensor has no more numbers than its storage, and all of them from there."""
    numbers = (view.offset, *view.shape, *view.strides)
    if len(view.shape) != len(view.strides) or len(view.shape) > MAX_AXES:
        return False
    if any(type(number) is not int or number < 0 for number in numbers):
        return False
    if prod(view.shape) == 0:
        return True
    steps = zip(view.shape, view.strides, strict=True)
    last = view.offset + sum((count - 1) * step for count, step in steps)
    return bool(last < view.storage.count and prod(view.shape) <= view.storage.count)
