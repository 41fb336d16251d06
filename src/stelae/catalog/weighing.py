"""What a checkpoint weighs, before its weights are fetched or read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from stelae.catalog.embedded import embedded_folder
from stelae.catalog.entry import EMBEDDED, GGUF, ModelEntry, is_gguf, is_local
from stelae.catalog.files import Json, read_object
from stelae.catalog.hub import FILES, HubOptions, further, here, is_hub_id, listed

SUFFIXES = frozenset({".safetensors", ".bin", ".pt", GGUF})
"""How the names of files with weights end."""

BITS = {"float64": 64, "float32": 32, "float16": 16, "bfloat16": 16}
"""Of the number formats that checkpoints name."""

CHECKPOINT = [name for name in FILES if name.endswith(".safetensors")]
"""Names of files with weights, wherever they lie in a checkpoint."""

UNNAMED = 32
"""Bits of the numbers of a checkpoint that names no format, as of the libraries' own default."""


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """The weights of a checkpoint as they are stored.

    Attributes:
        bytes: Size of their files.
        bits: Of each number; ``None`` where they are quantised, and stay so.
    """

    bytes: int
    bits: int | None = None


def weigh(entry: ModelEntry, hub: HubOptions) -> Weight:
    """What a model's checkpoint weighs; see ``outline``."""
    return outline(entry, hub)[0]


def outline(entry: ModelEntry, hub: HubOptions) -> tuple[Weight, Json]:
    """What a checkpoint weighs, and its ``config.json``; empty where it has none.

    Of one on the hub only small files are fetched.

    A folder that is not there, or holds no weights, weighs nothing: loading it tells why.

    Raises:
        StelaeError: It cannot be found on the hub, or a file that describes it is broken.
    """
    if entry.source == EMBEDDED:
        return _of_folder(embedded_folder())
    path = Path(entry.source).expanduser()
    if is_gguf(path):
        return Weight(bytes=path.stat().st_size), {}
    if is_local(entry.source) or not is_hub_id(entry.source):
        return _of_folder(path, entry.files)
    folder, sizes = listed(entry.source, entry.revision, hub, entry.files)
    return _of_files(folder, sizes)


def _of_folder(folder: Path, patterns: Sequence[str] = ()) -> tuple[Weight, Json]:
    sizes = here(folder)
    if not patterns:
        others = further(folder, list(sizes))
        patterns = [*CHECKPOINT, *others] if "config.json" in sizes or others else [f"*{GGUF}"]
    wanted = {n: s for n, s in sizes.items() if any(PurePosixPath(n).match(p) for p in patterns)}
    return _of_files(folder, wanted)


def _of_files(folder: Path, sizes: Mapping[str, int]) -> tuple[Weight, Json]:
    weights = {n: size for n, size in sizes.items() if PurePosixPath(n).suffix in SUFFIXES}
    packed = bool(weights) and all(name.endswith(GGUF) for name in weights)
    config = read_object(folder, "config.json") or {}
    bits = None if packed else _bits(config)
    return Weight(bytes=sum(weights.values()), bits=bits), config


def _bits(config: Json) -> int | None:
    """Bits of each number, by the file that describes the checkpoint."""
    if "quantization_config" in config:
        return None
    named = config.get("torch_dtype", config.get("dtype"))
    return BITS.get(named, UNNAMED) if isinstance(named, str) else UNNAMED
