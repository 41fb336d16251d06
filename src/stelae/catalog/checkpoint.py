"""A ``ModelSpec`` from the files of a checkpoint, nothing guessed."""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.entry import ModelEntry
from stelae.catalog.modules import output_width, read_modules
from stelae.catalog.reading import read_prompts, read_reading
from stelae.catalog.spec import Backbone, Chain, ModelSpec, Source
from stelae.catalog.vision import read_towers
from stelae.errors import ModelLoadFailed, ModelNotFound
from stelae.types import OutputType


def read_spec(folder: Path, entry: ModelEntry, source: Source) -> ModelSpec:
    """Read what a model is from its checkpoint.

    Args:
        folder: The checkpoint on this machine.
        entry: What a person says about the model; it may lower ``max_tokens``
            and state the widths of Matryoshka training.
        source: Where the checkpoint came from.

    Returns:
        The model; weights are only looked at, not loaded.

    Raises:
        ModelNotFound: There is no such folder.
        UnsupportedCheckpoint: A module, an option or a file format is not
            implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    if not folder.is_dir():
        raise ModelNotFound(
            f"model {entry.name!r}: there is no folder {folder}", hint="check the path"
        )
    if (towers := read_towers(folder, entry, source)) is not None:
        return towers
    modules, notes = read_modules(folder)
    backbone = next(m for m in modules if isinstance(m, Backbone))
    steps = tuple(m for m in modules if not isinstance(m, Backbone))
    reading = read_reading(folder, backbone, entry.max_tokens)
    prompts = read_prompts(folder)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(folder),
        backbone=backbone,
        chains=(Chain(output=OutputType.DENSE, steps=steps),),
        dimensions=_width(folder, output_width(folder, modules)),
        matryoshka=tuple(sorted(entry.matryoshka)),
        max_tokens=reading.max_tokens,
        lowercase=reading.lowercase,
        tokenizer=reading.tokenizer,
        prompts=prompts.prompts,
        default_prompt=prompts.default,
        similarity=prompts.similarity,
        notes=notes,
    )


def _width(folder: Path, width: int) -> int:
    if width < 1:
        raise ModelLoadFailed(
            f"config.json in {folder} does not state the width of its vectors (hidden_size)"
        )
    return width
