"""Checkpoints that find things in items: which they are, and what they look for.

A layout joins by its reader in ``READERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stelae.catalog.abilities import Classify, Extractor, Finding
from stelae.catalog.detection import read_detector
from stelae.catalog.documents import read_document
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import exists
from stelae.catalog.gliclass import read_gliclass
from stelae.catalog.gliner import read_gliner
from stelae.catalog.spec import ModelSpec, Source
from stelae.errors import UnsupportedCheckpoint

GLIREL = "glirel_config.json"

Reader = Callable[[Path, ModelEntry, Source], ModelSpec | None]


def refuse_glirel(root: Path, entry: ModelEntry, source: Source) -> None:
    """Refuse GLiREL, which looks for relations between names that the caller gives.

    Raises:
        UnsupportedCheckpoint: It is that.
    """
    del entry, source
    if exists(root, GLIREL):
        raise UnsupportedCheckpoint(
            f"{GLIREL} in {root}: GLiREL is not implemented; it reads names that were found "
            "before, and calls have no place for them",
            hint="GLiNER checkpoints with a relations_layer find names and relations together",
        )


READERS: tuple[Reader, ...] = (
    read_gliner,
    refuse_glirel,
    read_gliclass,
    read_detector,
    read_document,
)
"""Each says what a folder holds, or ``None`` if it is of another layout."""

JUDGES = "entail"
"""How the class begins that says that a text supports a sentence."""


def read_finder(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one that finds things.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    found = (read(root, entry, source) for read in READERS)
    return next((spec for spec in found if spec is not None), None)


def judging(spec: ModelSpec) -> ModelSpec:
    """The same; if it tells whether a text supports a sentence, it finds classes too."""
    if not isinstance(spec.scoring, Classify) or entailment(spec.scoring) is None:
        return spec
    finder = Extractor(layout="nli", finds=(Finding.CLASSIFICATIONS,), threshold=0.0)
    return msgspec.structs.replace(spec, extraction=finder)


def entailment(scoring: Classify) -> int | None:
    """Position of the class that says that a text supports a sentence, if there is one.

    Source: transformers 5.17, ``ZeroShotClassificationPipeline.entailment_id``.
    """
    names = enumerate(scoring.labels)
    return next((i for i, name in names if name.lower().startswith(JUDGES)), None)
