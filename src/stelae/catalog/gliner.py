"""Checkpoints of GLiNER: ``gliner_config.json`` with the weights beside it.

An encoder's configuration and tokenizer lie there too, or in the encoder's own repository.

Source: gliner 0.2.24, ``model.py``, ``config.py`` and ``modeling/encoder.py``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.abilities import Extractor, Finding
from stelae.catalog.backbone import positions
from stelae.catalog.encoders import (
    CONFIG,
    TEXTS,
    Part,
    encoder_config,
    parts_of,
    tokenizer_homes,
)
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, exists, inside, read_object
from stelae.catalog.options import positive, take
from stelae.catalog.place import Place
from stelae.catalog.reading import lowered
from stelae.catalog.spec import Backbone, ModelSpec, Source
from stelae.catalog.splitters import WHITESPACE, check_splitter
from stelae.catalog.tokenizer import stated_limit
from stelae.catalog.weights import read_header, weight_files
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

RELATIONS = "UniEncoderSpanRelexGLiNER"

MOST_WORDS = 384
"""The library's longest text, in words, if the file does not say."""

TOKENS_PER_WORD = 8
"""Tokens that a word may have on average, for encoders without a longest input."""


def read_gliner(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder with ``gliner_config.json``; ``None`` without that file.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented, or not in the folder.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, CONFIG)
    if config is None:
        return None
    file = f"{CONFIG} in {root}"
    _check(config, file)
    architecture = _class(config)
    encoders = {part.config: _encoder(root, config, part, source) for part in parts_of(config)}
    homes = tokenizer_homes(root, config, source)
    for home in (Place(root, ""), *homes.values()):
        _refuse_adapter(home)
    encoder = encoders[TEXTS.config]
    weights = weight_files(root, "")
    for name in weights:
        read_header(inside(root, name))
    words = positive(config, "max_len", file) or MOST_WORDS
    table = positions(encoder) if encoder.get("position_biased_input") is not False else None
    texts = homes[TEXTS.name]
    stated = stated_limit(texts.root, texts.folder)
    limits = [limit for limit in (stated, table) if limit is not None]
    longest = min(limits, default=TOKENS_PER_WORD * words)
    finds = (Finding.ENTITIES, Finding.RELATIONS)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=Backbone(
            folder="", architecture=architecture, config={**config, **encoders}, weights=weights
        ),
        extraction=Extractor(
            layout="gliner", finds=finds if architecture == RELATIONS else finds[:1]
        ),
        max_tokens=lowered(longest, entry.max_tokens, root),
        tokenizer="tokenizer.json" if exists(root, "tokenizer.json") else "",
    )


def _class(config: Json) -> str:
    """The library's class for a checkpoint, by the same rules in the same order."""
    unit = "Token" if config.get("span_mode") == "token_level" else "Span"
    if config.get("relations_layer") is not None:
        return RELATIONS
    return f"{'Bi' if config.get('labels_encoder') is not None else 'Uni'}Encoder{unit}GLiNER"


def _check(config: Json, file: str) -> None:
    """Refuse options of other kinds of model, and of the wrong type."""
    if config.get("labels_decoder") is not None and config.get("relations_layer") is None:
        raise UnsupportedCheckpoint(
            f"{file} sets labels_decoder={config['labels_decoder']!r}; models that write their "
            "labels are not implemented"
        )
    check_splitter(take(config, "words_splitter_type", str, file) or WHITESPACE, file)
    if config.get("relations_layer") is not None and config.get("span_mode") == "token_level":
        raise ModelLoadFailed(f"{file} sets relations_layer and span_mode='token_level'")
    for key in ("max_len", "max_width", "hidden_size"):
        positive(config, key, file)


def _encoder(root: Path, config: Json, part: Part, source: Source) -> Json:
    """The configuration of an encoder, if it is one of the library's own."""
    found = encoder_config(root, config, part, source)
    if "auto_map" in found:
        raise UnsupportedCheckpoint(
            f"the {part.config} of {CONFIG} in {root} names code of its own, which is not run"
        )
    return found


def _refuse_adapter(home: Place) -> None:
    if exists(home.root, home.path("adapter_config.json")):
        raise UnsupportedCheckpoint(
            f"{home.label('adapter_config.json')}: adapters (LoRA) of GLiNER are not implemented",
            hint="merge the adapter into the model and save it",
        )
