"""Tensors of a checkpoint by name, without loading them: where they lie, how they look."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stelae.catalog.files import inside, join
from stelae.catalog.operations import Dense
from stelae.catalog.weights import TensorHead, read_header, read_numbers
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint


class Tensors:
    """The tensors in some weight files.

    Args:
        root: The checkpoint.
        folder: Where the files lie, relative to it.
        files: Their names.

    Raises:
        ModelLoadFailed: A file is missing or broken.
    """

    def __init__(self, root: Path, folder: str, files: tuple[str, ...]) -> None:
        self.root, self.folder = root, folder
        self.heads: dict[str, tuple[str, TensorHead]] = {
            name: (file, head)
            for file in files
            for name, head in read_header(inside(root, join(folder, file))).items()
        }

    def dense(self, name: str, *, transposed: bool = False, bias: str = "") -> Dense:
        """A linear layer that stands among other tensors.

        Args:
            name: Its weight.
            transposed: Whether that is stored with the inputs first.
            bias: Its bias; empty if it has none.

        Raises:
            ModelLoadFailed: There is no such tensor, or it is no matrix.
        """
        file, head = self._find(name)
        if len(head.shape) != 2:
            raise ModelLoadFailed(f"tensor {name!r} in {self.root} has shape {head.shape}")
        outputs, inputs = head.shape[::-1] if transposed else head.shape
        return Dense(
            folder=self.folder,
            inputs=inputs,
            outputs=outputs,
            bias=bool(bias),
            activation="Identity",
            weights=file,
            names=(name, bias),
            transposed=transposed,
        )

    def number(self, name: str) -> float:
        """The value of a tensor that holds one number.

        Raises:
            ModelLoadFailed: There is no such tensor, or it holds more.
        """
        file, head = self._find(name)
        data = read_numbers(inside(self.root, join(self.folder, file)), name)
        if head.dtype == "BF16":  # the upper half of a float
            data, dtype = bytes(2) + data, "<f4"
        else:
            dtype = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}.get(head.dtype, "")
        if not dtype or len(data) != np.dtype(dtype).itemsize:
            raise ModelLoadFailed(f"tensor {name!r} in {self.root} is not one number")
        return float(np.frombuffer(data, dtype)[0])

    def check_all_known(self, prefixes: tuple[str, ...]) -> None:
        """Refuse tensors that nothing reads: a part that is not implemented.

        Raises:
            UnsupportedCheckpoint: A name starts with none of ``prefixes``.
        """
        unknown = sorted(name for name in self.heads if not name.startswith(prefixes))
        if unknown:
            shown = ", ".join(unknown[:5]) + (" and others" if unknown[5:] else "")
            raise UnsupportedCheckpoint(
                f"the weights in {self.root} hold {shown}, for which nothing is implemented"
            )

    def _find(self, name: str) -> tuple[str, TensorHead]:
        if name not in self.heads:
            raise ModelLoadFailed(
                f"the weights in {self.root} lack {name!r}", hint="fetch the checkpoint again"
            )
        return self.heads[name]
