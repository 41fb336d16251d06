"""A checkpoint's numbers as parts of a graph, as they are stored: nothing is copied."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import torch
from openvino.op import Constant
from safetensors import safe_open
from torch import Tensor

from stelae.errors import UnsupportedCheckpoint

KINDS = {
    torch.float32: ov.Type.f32,
    torch.float16: ov.Type.f16,
    torch.bfloat16: ov.Type.bf16,
}
"""Formats of numbers."""

PASSED_OVER = ("rotary_emb.inv_freq",)
"""Ends of the names of tensors that follow from the configuration."""


class FolderWeights:
    """The tensors of safetensors files; see ``Weights``.

    Args:
        folder: Of the files.
        files: Their names.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._stack = ExitStack()
        opened = [self._stack.enter_context(safe_open(folder / f, "pt")) for f in files]
        self._files = {name: file for file in opened for name in file.keys()}  # noqa: SIM118
        self._nodes: dict[str, Any] = {}
        self._held: list[Any] = []

    def node(self, name: str) -> Any:
        """See ``Weights``."""
        found = self.maybe(name)
        if found is None:
            raise UnsupportedCheckpoint(f"weights do not fit the architecture: no tensor {name!r}")
        return found

    def maybe(self, name: str) -> Any:
        """See ``Weights``."""
        if name in self._files and name not in self._nodes:
            self._nodes[name] = self._made(name, self._files[name].get_tensor(name))
        return self._nodes.get(name)

    def check_all_used(self, *, tied: bool) -> None:
        """Refuse tensors that no part of the graph takes.

        Raises:
            UnsupportedCheckpoint: There are some.
        """
        copies = {"lm_head.weight"} if tied else set()
        left = self._files.keys() - self._nodes.keys() - copies
        wrong = sorted(name for name in left if not name.endswith(PASSED_OVER))
        if wrong:
            raise UnsupportedCheckpoint(f"weights do not fit the architecture: {wrong[:5]}")

    def _made(self, name: str, tensor: Tensor) -> Any:
        kind = KINDS.get(tensor.dtype)
        if kind is None:
            raise UnsupportedCheckpoint(f"tensor {name!r} is stored as {tensor.dtype}")
        plain = tensor.contiguous()
        data = plain.numpy() if kind == ov.Type.f32 else plain.view(torch.int16).numpy()
        raw = data if kind == ov.Type.f32 else data.view(np.uint16)
        self._held.append(raw)  # the graph has no copy of its own
        made = Constant(ov.Tensor(raw, ov.Shape(list(tensor.shape)), kind), shared_memory=True)
        return made if kind == ov.Type.f32 else ops.convert(made, "f32")
