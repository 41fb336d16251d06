"""A ``ModelSpec`` from the files of a checkpoint, nothing guessed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stelae.catalog.asking import read_asked
from stelae.catalog.bge_m3 import with_m3_heads
from stelae.catalog.chat import read_chat
from stelae.catalog.entry import Ask, ModelEntry, is_gguf
from stelae.catalog.family import Advice
from stelae.catalog.files import check_plain, exists
from stelae.catalog.finders import judging, read_finder
from stelae.catalog.found import Found
from stelae.catalog.gguf_chat import gguf_in, gguf_named, read_gguf_chat
from stelae.catalog.media import read_media
from stelae.catalog.modules import read_modules
from stelae.catalog.pairs import read_pairs
from stelae.catalog.plain import read_plain
from stelae.catalog.prompts import prompted
from stelae.catalog.reading import lowered
from stelae.catalog.settings import Kind, read_settings
from stelae.catalog.sides import join_sides
from stelae.catalog.spec import ModelSpec, Source
from stelae.catalog.vision import read_towers
from stelae.catalog.wordpiece import is_words, read_words
from stelae.errors import ModelLoadFailed, ModelNotFound
from stelae.types import OutputType


def read_spec(
    folder: Path, entry: ModelEntry, source: Source, advice: Advice | None = None
) -> ModelSpec:
    """Read what a model is from its checkpoint.

    Args:
        folder: The checkpoint on this machine, or a GGUF file.
        entry: What a person says about the model; it may lower ``max_tokens``
            and state what checkpoints do not record.
        source: Where the checkpoint came from.
        advice: What the model's authors say of it.

    Returns:
        The model; weights are only looked at, not loaded.

    Raises:
        ModelNotFound: There is no such folder.
        UnsupportedCheckpoint: A module, an option or a file format is not
            implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    if is_gguf(folder):
        return read_gguf_chat(folder.parent, folder.name, entry, source)
    if entry.files:
        return read_gguf_chat(folder, gguf_named(folder, entry), entry, source)
    if not folder.is_dir():
        raise ModelNotFound(
            f"model {entry.name!r}: there is no folder {folder}", hint="check the path"
        )
    check_plain(folder)
    if (file := gguf_in(folder)) is not None:
        return read_gguf_chat(folder, file, entry, source)
    spec = (
        read_media(folder, entry, source)
        or read_finder(folder, entry, source)
        or read_towers(folder, entry, source)
    )
    ask = entry.ask or (None if advice is None else advice.ask)
    if spec is None and ask is None:
        spec = read_chat(folder, entry, source)
    if spec is None:
        spec = judging(_spec(folder, entry, source, _read(folder, ask)))
    if is_words(spec.tokenizer):
        spec = msgspec.structs.replace(spec, words=read_words(folder, spec.tokenizer))
    return prompted(spec, entry, advice)


def _read(folder: Path, ask: Ask | None) -> Found:
    if not exists(folder, "modules.json"):
        return read_plain(folder) if ask is None else read_asked(folder, ask)
    settings = read_settings(folder)
    if settings.kind is Kind.PAIRS:
        return read_pairs(folder, settings)
    return with_m3_heads(folder, join_sides(folder, read_modules(folder, settings), settings))


def _spec(folder: Path, entry: ModelEntry, source: Source, found: Found) -> ModelSpec:
    settings = found.settings
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(folder),
        backbone=found.trunk,
        chains=found.chains,
        scoring=found.scoring,
        scorer=found.scorer,
        dimensions=_width(folder, found, OutputType.DENSE, found.width),
        token_dimensions=_width(folder, found, OutputType.MULTIVECTOR, found.token_width),
        matryoshka=tuple(sorted(entry.matryoshka)),
        max_tokens=lowered(found.limit, entry.max_tokens, folder),
        lowercase=found.reading.lowercase,
        tokenizer=found.reading.tokenizer,
        prompts=settings.prompts,
        default_prompt=settings.default,
        similarity=settings.similarity,
        notes=found.notes,
    )


def _width(folder: Path, found: Found, output: OutputType, width: int) -> int:
    if width < 1 and any(chain.output is output for chain in found.chains):
        raise ModelLoadFailed(
            f"config.json in {folder} does not state the width of its vectors (hidden_size)"
        )
    return width
