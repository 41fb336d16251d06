"""CLAP: recordings and texts to vectors of one kind, as transformers saves it.

Source: transformers 5.17, ``models/clap``.
"""

from __future__ import annotations

import math
from pathlib import Path

from stelae.catalog.detection import backbone_of, class_of
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, read_object
from stelae.catalog.operations import Normalize
from stelae.catalog.options import need, number, positive, require, take
from stelae.catalog.reading import lowered
from stelae.catalog.spec import Backbone, Chain, Contrast, ModelSpec, Source
from stelae.catalog.tensors import Tensors
from stelae.catalog.tokenizer import read_tokenizer_file
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality, OutputType, Similarity

CLAP = "ClapModel"
HEARING = "preprocessor_config.json"

FIXED = {
    "feature_extractor_type": ("ClapFeatureExtractor",),
    "padding": ("repeatpad", "repeat", "pad"),
    "top_db": (None,),
    "padding_value": (0.0, 0),
}
"""Options of how it hears, of which only these values are implemented."""

NUMBERS = {
    "feature_size": 512,
    "fft_window_size": 1 << 15,
    "hop_length": 1 << 15,
    "max_length_s": 600,
    "sampling_rate": 192_000,
}
"""Options that are whole numbers, and their largest values."""

USUAL = 48_000

HIGHEST = 14_000.0
"""Hz that the library hears up to if it is not told."""

CUTS = {True: "fusion", False: "rand_trunc"}
"""What is heard of a long recording, by whether the tower joins several views of it."""


def read_clap(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is a CLAP.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, "config.json") or {}
    if class_of(config) != CLAP:
        return None
    file = f"config.json in {root}"
    hearing = _hearing(root, take(config, "audio_config", dict, file, {}) or {})
    backbone = backbone_of(root, CLAP, config | {"processor": hearing})
    tokenizer, stated = read_tokenizer_file(root, "", "roberta")
    text = take(config, "text_config", dict, file, {}) or {}
    limits = [limit for limit in (stated, _positions(text, file)) if limit is not None]
    tensors = Tensors(root, "", backbone.weights)
    width = tensors.dense("text_projection.linear2.weight").outputs
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone,
        chains=(Chain(output=OutputType.DENSE, steps=(Normalize(),)),),
        inputs=(Modality.TEXT, Modality.AUDIO),
        contrast=Contrast(scale=math.exp(tensors.number("logit_scale_a"))),
        dimensions=width,
        matryoshka=tuple(sorted(entry.matryoshka)),
        max_tokens=lowered(min(limits, default=None), entry.max_tokens, root),
        tokenizer=tokenizer,
        similarity=Similarity.COSINE,
    )


def _positions(text: Json, file: str) -> int:
    """Tokens that have a place, after those that the padding token's number skips."""
    table = positive(text, "max_position_embeddings", file) or 514
    skipped = take(text, "pad_token_id", int, file, 1)
    return table - 1 - (1 if skipped is None else skipped)


def _hearing(root: Path, audio: Json) -> Json:
    """How recordings are heard.

    Raises:
        UnsupportedCheckpoint: In a way that is not implemented.
        ModelLoadFailed: It is not stated, or does not fit the tower.
    """
    file = f"{HEARING} in {root}"
    options = read_object(root, HEARING)
    if options is None:
        raise ModelLoadFailed(
            f"no {HEARING} in {root}; it says how recordings are heard",
            hint="fetch the checkpoint again, with all its files",
        )
    require(options, FIXED, file)
    fusion = take(audio, "enable_fusion", bool, "config.json", False) is True
    require(options, {"truncation": (CUTS[fusion],)}, file)
    for name, most in NUMBERS.items():
        if not 1 <= need(options, name, int, file) <= most:
            raise ModelLoadFailed(f"{file} sets {name}={options[name]}; 1 to {most} was expected")
    low = number(options, "frequency_min", file) or 0.0
    high = number(options, "frequency_max", file) or HIGHEST
    if not 0 <= low < high <= options["sampling_rate"] / 2:
        raise ModelLoadFailed(
            f"{file} hears {low:g} to {high:g} Hz; a part of 0 to "
            f"{options['sampling_rate'] / 2:g} was expected"
        )
    _check_fit(options, audio, file)
    return options


def _check_fit(options: Json, audio: Json, file: str) -> None:
    """Refuse spectrograms that the tower cannot read."""
    bins = take(audio, "num_mel_bins", int, "config.json", 64) or 64
    side = take(audio, "spec_size", int, "config.json", 256) or 256
    frames = options["max_length_s"] * options["sampling_rate"] // options["hop_length"] + 1
    if options["feature_size"] != bins or frames > side * (side // bins):
        raise UnsupportedCheckpoint(
            f"{file} makes spectrograms of {frames} times {options['feature_size']} numbers; the "
            f"tower reads {bins} bins and at most {side * (side // bins)} times"
        )


def hears_at(spec: ModelSpec) -> int:
    """Samples per second that a model hears, or that recordings usually have if it hears none."""
    if not isinstance(spec.backbone, Backbone) or spec.backbone.architecture != CLAP:
        return USUAL
    rate: int = spec.backbone.config["processor"]["sampling_rate"]
    return rate
