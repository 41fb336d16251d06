"""Which files of a repository hold the parts of a pipeline that makes pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from stelae.catalog.files import read_object
from stelae.catalog.imaging_layouts import INDEX, UNUSED

SMALL = (INDEX, "scheduler_config.json", "spiece.model")
"""Files beside the weights, by name."""

PLAIN = re.compile(
    r"(diffusion_pytorch_)?model(-\d+-of-\d+)?\.safetensors(\.index\.json)?", re.ASCII
)
HALF = re.compile(r"(diffusion_pytorch_)?model\.fp16\.safetensors")
"""Copies with numbers of half the size, which count where there are no others."""


def pipeline_files(folder: Path, names: Sequence[str]) -> list[str]:
    """Weights of a pipeline's parts, of each part one form.

    Args:
        folder: The repository as far as it is here, with its ``model_index.json`` if it has one.
        names: All its files.

    Returns:
        Some of the names; none if it holds no pipeline.

    Raises:
        ModelLoadFailed: ``model_index.json`` is broken.
    """
    index = read_object(folder, INDEX) or {}
    parts = [name for name, value in index.items() if isinstance(value, list)]
    return [name for part in parts if part not in UNUSED for name in _of_part(part, names)]


def _of_part(part: str, names: Sequence[str]) -> list[str]:
    files = [name for name in names if name.rpartition("/")[0] == part]
    plain = [name for name in files if PLAIN.fullmatch(name.rpartition("/")[2])]
    return plain or [name for name in files if HALF.fullmatch(name.rpartition("/")[2])]
