"""From a checkpoint's tensors to a module's: safetensors only, every tensor accounted for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from stelae.catalog.torch_file import TORCH_SUFFIXES
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.torch_file import read_torch


@dataclass(frozen=True)
class WeightMap:
    """How names in a checkpoint become names in a module.

    Attributes:
        prefixes: Removed from the start of a name, the first that fits.
        rename: Regular expressions and their replacements, all applied in order.
        fuse: New tensor (regular-expression template) from several, joined along
            the first axis; keys and values are formatted with the layer number.
        ignore: Names (whole, by regular expression) that the module does not use.
        only: Names (whole, by regular expression) to look at; empty for all.
        change: What is done to tensors, by new name (whole, by regular expression).
    """

    prefixes: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    fuse: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    change: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)

    def apply(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename, drop and fuse; the result has the module's names."""
        named = {self._name(name): tensor for name, tensor in tensors.items()}
        kept = {
            name: tensor
            for name, tensor in named.items()
            if not _matches(self.ignore, name) and (not self.only or _matches(self.only, name))
        }
        for target, sources in self.fuse.items():
            self._fuse(kept, target, sources)
        for pattern, change in self.change.items():
            kept |= {n: change(t) for n, t in kept.items() if re.fullmatch(pattern, n)}
        return kept

    def _name(self, name: str) -> str:
        for prefix in self.prefixes:
            if name.startswith(prefix):
                name = name.removeprefix(prefix)
                break
        for pattern, replacement in self.rename.items():
            name = re.sub(pattern, replacement, name)
        return name

    def _fuse(self, tensors: dict[str, Tensor], target: str, sources: tuple[str, ...]) -> None:
        first = re.compile(re.escape(sources[0]) + r"\.(weight|bias)$")
        for name in [n for n in tensors if first.search(n)]:
            parts = [name.replace(sources[0], source) for source in sources]
            if missing := [part for part in parts if part not in tensors]:
                raise ModelLoadFailed(f"the checkpoint lacks {', '.join(missing)}")
            joined = torch.cat([tensors.pop(part) for part in parts])
            tensors[name.replace(sources[0], target)] = joined


NOTHING = WeightMap(only=(r"(?!)",))
"""Takes no tensor, for modules that have none."""


def within(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names start so, under the rest of their names."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def flat_patches(kernel: Tensor) -> Tensor:
    """A convolution over patches as a linear layer.

    Args:
        kernel: Shape ``(H, 3, side, side)``; a linear layer's weight stays as it is.

    Returns:
        Shape ``(H, side * side * 3)``, for patches with their colours last.
    """
    return kernel if kernel.ndim == 2 else kernel.permute(0, 2, 3, 1).flatten(1).contiguous()


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def read(files: Iterable[Path]) -> dict[str, Tensor]:
    """Read all tensors of safetensors files, and of torch's own.

    Raises:
        UnsupportedCheckpoint: A file is missing or is not valid.
        ModelLoadFailed: A file of torch is broken.
    """
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= read_torch(file) if file.suffix in TORCH_SUFFIXES else load_file(file)
        except (SafetensorError, OSError) as error:
            raise UnsupportedCheckpoint(f"weights {file.name} cannot be read: {error}") from error
    return tensors


def assign(module: nn.Module, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Give a module its tensors; none may be missing, left over or of another shape.

    Raises:
        ModelLoadFailed: Names the tensors at fault.
    """
    wanted = {name: tuple(p.shape) for name, p in module.named_parameters()}
    faults = [f"{name} is missing" for name in sorted(wanted.keys() - tensors.keys())]
    faults += [f"{name} is not used" for name in sorted(tensors.keys() - wanted.keys())]
    faults += [
        f"{name} has shape {tuple(tensors[name].shape)}, not {shape}"
        for name, shape in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if faults[5:] else "")
        raise ModelLoadFailed(f"weights do not fit the architecture: {shown}")
    module.load_state_dict({k: v.to(dtype) for k, v in tensors.items()}, assign=True)
