"""Adapters of models that make pictures: one file of safetensors, as its trainers publish it."""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.files import exists, inside
from stelae.catalog.hub import HubOptions, fetch_files, is_hub_id
from stelae.catalog.weights import read_header
from stelae.errors import ModelLoadFailed, ModelNotFound, UnsupportedCheckpoint

WEIGHTS = "pytorch_lora_weights.safetensors"
"""Name that diffusers gives the file; another counts where it is the only one."""

SAFE = ".safetensors"

OTHER = ("lora_controlnet", "lora_magnitude_vector", "dora_scale")
"""Parts of names in files that do more than add matrices."""


def imaging_adapter(source: str, hub: HubOptions) -> Path:
    """The file of an adapter on this machine; fetches it from the hub if it must.

    Args:
        source: The file, its folder, or a hub id (perhaps with ``@revision``).
        hub: How to reach the hub.

    Raises:
        ModelNotFound: It is none of these.
        ModelLoadFailed: The file is missing or broken.
        UnsupportedCheckpoint: It holds something else than an adapter's matrices.
        StelaeError: The hub does not let it be fetched, and why.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        path = _in_folder(path)
    elif not path.is_file():
        repo, _, revision = source.partition("@")
        if not is_hub_id(repo):
            raise ModelNotFound(f"{source!r} is neither a file, a folder nor a hub id")
        path = _fetched(repo, revision or None, hub)
    _check(path)
    return path.absolute()


def _fetched(repo: str, revision: str | None, hub: HubOptions) -> Path:
    """The file of a repository; other names are asked for only where the usual one is not there."""
    folder = fetch_files(repo, revision, hub, (WEIGHTS,))
    if not exists(folder, WEIGHTS):
        folder = fetch_files(repo, revision, hub, (f"*{SAFE}",))
    return _in_folder(folder)


def _in_folder(folder: Path) -> Path:
    if exists(folder, WEIGHTS):
        return inside(folder, WEIGHTS)
    found = sorted(path.name for path in folder.glob(f"*{SAFE}"))
    if len(found) != 1:
        raise ModelLoadFailed(
            f"no {WEIGHTS} in {folder}, and {len(found)} other files of {SAFE}; one was expected",
            hint="name the file itself",
        )
    return inside(folder, found[0])


def _check(path: Path) -> None:
    """Refuse a file with tensors that are not an adapter's."""
    if path.suffix != SAFE:
        raise UnsupportedCheckpoint(f"{path} is no {SAFE} file, which adapters are read from")
    other = [name for name in read_header(path) if not _is_adapter(name)]
    if other:
        raise UnsupportedCheckpoint(
            f"{path} holds {other[0]!r}, which is no matrix of a LoRA; nothing else is implemented"
        )


def _is_adapter(name: str) -> bool:
    other = any(word in name for word in OTHER)
    return not other and ("lora" in name or name.endswith(".alpha"))
