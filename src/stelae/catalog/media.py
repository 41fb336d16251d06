"""Checkpoints of pictures and sound; a layout joins by its reader in ``READERS``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stelae.catalog.clap import read_clap
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hearing import read_hearing
from stelae.catalog.imaging import read_imaging
from stelae.catalog.spec import ModelSpec, Source
from stelae.catalog.speech import read_speech

Reader = Callable[[Path, ModelEntry, Source], ModelSpec | None]

READERS: tuple[Reader, ...] = (read_imaging, read_hearing, read_speech, read_clap)
"""Each says what a folder holds, or ``None`` if it is of another layout."""


def read_media(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one that makes pictures, listens or speaks.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    found = (read(root, entry, source) for read in READERS)
    return next((spec for spec in found if spec is not None), None)
