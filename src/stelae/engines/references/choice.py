"""Who answers for a model: a library, or the formula that was published with it."""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.files import read_object
from stelae.catalog.open_clip import OPEN_CLIP
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.references import bge_m3, clap, gte_new, library, model2vec, pages, towers
from stelae.engines.references.layouts import is_open_clip, readable
from stelae.engines.references.made import FAILURES, Reference, missing
from stelae.engines.references.open_clip import shown
from stelae.types import OutputType


def load_reference(
    spec: ModelSpec, output: OutputType | None, *, longest: int | None = None, seed: int = 0
) -> Reference:
    """Load a checkpoint with somebody else's code, in float32.

    Args:
        spec: The model; its folder is what is read.
        output: What is wanted of it; ``None`` for scores.
        longest: Tokens it may read, if a person asked for fewer than the checkpoint says.
        seed: Decides the random numbers with which a library fills in weights that the
            checkpoint lacks.

    Raises:
        NoReference: Nobody reads it, or they would make something else of it.
        OutOfMemory: It does not fit into memory.
    """
    try:
        with readable(spec) as plain:
            own = _by_formula(plain, output, longest)
            return own or _by_library(plain, output, longest, seed)
    except FAILURES as error:
        raise missing(spec, f"its reference cannot be loaded: {error}") from error


def _by_formula(
    spec: ModelSpec, output: OutputType | None, longest: int | None
) -> Reference | None:
    if clap.fits(spec, output):
        return clap.Clap(spec, longest)
    if towers.fits(spec, output):
        return towers.Tower(spec, longest)
    if pages.fits(spec, output):
        return pages.Pages(spec, longest)
    if model2vec.fits(spec, output):
        return model2vec.Table(spec, longest)
    if output is not None and bge_m3.fits(spec, output):
        return bge_m3.Head(spec, output, longest)
    return None


def _by_library(
    spec: ModelSpec, output: OutputType | None, longest: int | None, seed: int
) -> Reference:
    config = spec.backbone.config if isinstance(spec.backbone, Backbone) else {}
    by_formula = config.get("model_type") in gte_new.MODEL_TYPES
    if by_formula:
        gte_new.introduce()
    stated = read_object(Path(spec.folder), OPEN_CLIP) if is_open_clip(spec) else None
    show = shown(stated) if stated else library.as_it_is
    found = library.load_reference(spec, output, longest=longest, seed=seed, show=show)
    if by_formula:
        found.name = gte_new.NAME
    return found
