"""Checkpoints that read texts aloud: which they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stelae.catalog.bark import read_bark
from stelae.catalog.detection import backbone_of, class_of
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, read_object
from stelae.catalog.reading import lowered
from stelae.catalog.spec import ModelSpec, Source
from stelae.catalog.vits import read_vits
from stelae.catalog.voicing import Voicing

BARK, VITS = "BarkModel", "VitsModel"

SPEAKERS: dict[str, Callable[[Path, Json], Voicing]] = {BARK: read_bark, VITS: read_vits}
"""What reads a checkpoint's files, by class name in ``config.json``."""


def read_speech(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one that reads texts aloud.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, "config.json") or {}
    architecture = class_of(config)
    if architecture not in SPEAKERS:
        return None
    voicing = SPEAKERS[architecture](root, config)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone_of(root, architecture, config | voicing.more),
        speaking=voicing.speaking,
        max_tokens=lowered(voicing.sentence, entry.max_tokens, root),
        tokenizer=voicing.tokenizer,
    )
