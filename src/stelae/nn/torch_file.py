"""Tensors of ``.pt`` files: their bytes, and nothing else that is in such a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import Tensor

from stelae.catalog.torch_file import StoredTensor, read_torch_heads
from stelae.errors import ModelLoadFailed

DTYPES = {
    "F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


def read_torch(path: Path) -> dict[str, Tensor]:
    """All tensors of a ``.pt`` file, by name.

    Raises:
        UnsupportedCheckpoint: It holds something else than a table of tensors.
        ModelLoadFailed: It is broken.
    """
    heads = read_torch_heads(path)
    try:
        with zipfile.ZipFile(path) as archive:
            bytes_of = {
                member: bytearray(archive.read(member))
                for member in {head.member for head in heads.values() if head.size}
            }
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ModelLoadFailed(
            f"{path} is not a whole torch file: {error}", hint="fetch the checkpoint again"
        ) from error
    return {name: _tensor(head, bytes_of.get(head.member)) for name, head in heads.items()}


def _tensor(head: StoredTensor, data: bytearray | None) -> Tensor:
    dtype = DTYPES[head.dtype]
    if not data:
        return torch.empty(head.shape, dtype=dtype)
    numbers = torch.frombuffer(data, dtype=dtype)
    return numbers.as_strided(head.shape, head.strides, head.offset)
