"""Weight files of a module: which there are, and what they say they hold."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.files import exists, inside, join, parse_json, read_object
from stelae.catalog.torch_file import TORCH_SUFFIXES, read_torch_heads, read_torch_numbers
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
TORCH_SINGLE = "pytorch_model.bin"
TORCH_INDEX = "pytorch_model.bin.index.json"
FORMS = ((SINGLE, INDEX), (TORCH_SINGLE, TORCH_INDEX))
"""One file, or the index of several; safetensors before torch's own files."""

MAX_HEADER_BYTES = 100_000_000  # the format's own limit

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64,
}  # fmt: skip
OTHER_SUFFIXES = frozenset({".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".pt", ".pth"})
"""Other formats of weights, for messages."""

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})


class TensorHead(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor as a safetensors header describes it.

    Attributes:
        dtype: Format of its numbers, as safetensors calls it.
        shape: Its shape.
        data_offsets: Where its bytes begin and end, after the header.
    """

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int] = (0, 0)


def weight_files(root: Path, folder: str) -> tuple[str, ...]:
    """Weight files of a module, relative to ``folder``, sorted.

    Raises:
        UnsupportedCheckpoint: The weights are in another format.
        ModelLoadFailed: There are no weights, or the index is wrong.
    """
    for single, index in FORMS:
        if exists(root, join(folder, single)):
            return (single,)
        table = read_object(root, join(folder, index))
        if table is not None:
            return _shards(root, folder, index, table)
    raise _no_weights(root, folder)


def _shards(root: Path, folder: str, index: str, content: dict[str, Any]) -> tuple[str, ...]:
    table = content.get("weight_map")
    if not isinstance(table, dict) or not table or not _all_text(table):
        raise ModelLoadFailed(
            f"{join(folder, index)} in {root} has no 'weight_map' from tensor names to files"
        )
    files = tuple(sorted(set(table.values())))
    for name in files:
        if Path(name).suffix not in {".safetensors", *TORCH_SUFFIXES}:
            raise _not_read(root, name)
        if not exists(root, join(folder, name)):
            raise ModelLoadFailed(f"{join(folder, index)} in {root} names {name}, which is missing")
    return files


def _all_text(table: dict[str, Any]) -> bool:
    return all(isinstance(value, str) for value in table.values())


def _no_weights(root: Path, folder: str) -> ModelLoadFailed:
    place = inside(root, folder) if folder else root
    others = sorted(p.name for p in place.glob("*") if p.suffix in OTHER_SUFFIXES)
    if others:
        return _not_read(root, join(folder, others[0]))
    return ModelLoadFailed(f"no {SINGLE} and no {INDEX} in {place}")


def _not_read(root: Path, name: str) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"the weights of the checkpoint in {root} are in {name}; only safetensors files and "
        f"{TORCH_SINGLE} are read",
        hint="where you trust the file, load it with transformers and save it again with "
        "model.save_pretrained(folder), or ask for a revision that has safetensors",
    )


def read_header(path: Path) -> dict[str, TensorHead]:
    """Tensors that a weight file says it holds, by name.

    Raises:
        UnsupportedCheckpoint: It is a file of torch with something else than tensors.
        ModelLoadFailed: It is not whole and well-formed.
    """
    if path.suffix in TORCH_SUFFIXES:
        stored = read_torch_heads(path)
        return {n: TensorHead(dtype=t.dtype, shape=t.shape) for n, t in stored.items()}
    heads, _ = _read_safetensors(path)
    return heads


def read_numbers(path: Path, name: str) -> bytes:
    """The bytes of one tensor, in order.

    Raises:
        KeyError: There is no such tensor.
        UnsupportedCheckpoint: As for ``read_header``.
        ModelLoadFailed: As for ``read_header``.
    """
    if path.suffix in TORCH_SUFFIXES:
        return read_torch_numbers(path, name)
    heads, start = _read_safetensors(path)
    first, last = heads[name].data_offsets
    with path.open("rb") as file:
        file.seek(start + first)
        return file.read(last - first)


def _read_safetensors(path: Path) -> tuple[dict[str, TensorHead], int]:
    """What the header says, and where the numbers begin."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise _broken(path, "its header length is impossible")
            data = file.read(length)
    except OSError as error:
        raise ModelLoadFailed(f"cannot read {path}: {error.strerror or error}") from error
    heads = _heads(path, data)
    if _end(path, heads) != size - 8 - length:
        raise _broken(path, "it is shorter or longer than its header says")
    return heads, 8 + length


def _heads(path: Path, data: bytes) -> dict[str, TensorHead]:
    table = parse_json(data, f"the header of {path}")
    if not isinstance(table, dict):
        raise _broken(path, "its header is not an object")
    table.pop("__metadata__", None)
    try:
        return msgspec.convert(table, dict[str, TensorHead])
    except msgspec.ValidationError as error:
        raise _broken(path, str(error)) from error


def _end(path: Path, heads: dict[str, TensorHead]) -> int:
    """Where the last tensor ends; the format wants them back to back."""
    end = 0
    for name, head in sorted(heads.items(), key=lambda pair: pair[1].data_offsets):
        start, stop = head.data_offsets
        if head.dtype not in BITS:
            raise _broken(path, f"tensor {name!r} has the unknown dtype {head.dtype!r}")
        if (
            min(head.shape, default=0) < 0
            or start != end
            or (stop - start) * 8 != prod(head.shape) * BITS[head.dtype]
        ):
            raise _broken(path, f"tensor {name!r} does not fit its offsets")
        end = stop
    return end


def _broken(path: Path, reason: str) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"{path} is not a whole safetensors file: {reason}", hint="fetch the checkpoint again"
    )
