"""Encoders that a GLiNER checkpoint names: where their configuration and tokenizer lie.

Newer checkpoints bring both. Older ones bring weights alone and name the repository of the
encoder; its few small files are fetched beside a checkpoint from the hub, and belong into a
folder of a checkpoint that lies on this machine.

Source: gliner 0.2.24, ``model.py`` (``_load_tokenizer``) and ``modeling/encoder.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stelae.catalog.files import Json, exists, join, read_object
from stelae.catalog.hub import HubOptions, fetch_files
from stelae.catalog.options import take
from stelae.catalog.place import Place
from stelae.catalog.spec import Source
from stelae.errors import ModelNotFound, UnsupportedCheckpoint

CONFIG = "gliner_config.json"

VOCABULARIES = (
    "tokenizer.json", "spm.model", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model",
)  # fmt: skip
"""Files of which a tokenizer has one at least; the library makes the first of the others."""

TOKENIZER = ("tokenizer_config.json", "tokenizer.json")

SMALL = (
    "config.json", "tokenizer_config.json", *VOCABULARIES, "special_tokens_map.json",
    "added_tokens.json",
)  # fmt: skip
"""All that is taken from the repository of an encoder; never weights."""

REPO = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
"""A hub id; the oldest have no organisation."""


@dataclass(frozen=True, slots=True)
class Part:
    """An encoder, as ``gliner_config.json`` speaks of it.

    Attributes:
        config: Key of its configuration.
        name: Key of its repository.
        otherwise: Repository, if none is named.
        folder: Where a checkpoint may keep its files, besides its root for the first.
    """

    config: str
    name: str
    otherwise: str
    folder: str


TEXTS = Part("encoder_config", "model_name", "microsoft/deberta-v3-small", "encoder")
LABELS = Part("labels_encoder_config", "labels_encoder", "", "labels_encoder")


def parts_of(config: Json) -> tuple[Part, ...]:
    """The encoders of a checkpoint."""
    apart = config.get(LABELS.name) is not None and config.get("relations_layer") is None
    return (TEXTS, LABELS) if apart else (TEXTS,)


def repository(config: Json, part: Part) -> str:
    """The repository of an encoder, as named; empty if there is none."""
    found = config.get(part.name)
    return found if isinstance(found, str) else part.otherwise


def fetch_encoders(repo: str, root: Path, hub: HubOptions) -> dict[str, str]:
    """Fetch the small files of encoders that a checkpoint names and has not got.

    Args:
        repo: The checkpoint's hub id.
        root: Its folder in the cache of the hub.
        hub: How to reach it.

    Returns:
        Folders in the cache by hub id; none for other checkpoints.

    Raises:
        StelaeError: The hub does not give them, and why.
    """
    config = read_object(root, CONFIG)
    if config is None:
        return {}
    wanted = [repository(config, part) for part in parts_of(config) if _lacks(root, config, part)]
    return {name: str(_fetched(repo, name, hub)) for name in wanted if REPO.fullmatch(name)}


def _fetched(repo: str, name: str, hub: HubOptions) -> Path:
    try:
        return fetch_files(name, None, hub, SMALL)
    except ModelNotFound as error:
        raise ModelNotFound(
            f"{repo} needs the configuration and the tokenizer of {name}: {error}",
            param="model",
            hint=f"run `stelae pull {repo}` where the hub can be reached",
        ) from error


def tokenizer_homes(root: Path, config: Json, source: Source) -> dict[str, Place]:
    """The folders with the tokenizers of encoders, by the key that names the encoder.

    Raises:
        UnsupportedCheckpoint: One is not on this machine.
    """
    return {part.name: _tokenizer_home(root, config, part, source) for part in parts_of(config)}


def _tokenizer_home(root: Path, config: Json, part: Part, source: Source) -> Place:
    for home in _homes(root, config, part, source):
        if _has(home, "tokenizer_config.json") and any(_has(home, n) for n in VOCABULARIES):
            return home
    files = (join("" if part is TEXTS else part.folder, name) for name in TOKENIZER)
    what = f"tokenizer ({' and '.join(files)}, or a model of sentencepiece)"
    raise _missing(root, config, part, what)


def encoder_config(root: Path, config: Json, part: Part, source: Source) -> Json:
    """The configuration of an encoder, with as many tokens as the whole has.

    Raises:
        UnsupportedCheckpoint: It is not on this machine.
        ModelLoadFailed: It is not a JSON object.
    """
    file = f"{CONFIG} in {root}"
    if (stated := take(config, part.config, dict, file)) is not None:
        return {"model_type": "deberta-v2", **stated}
    size = config.get("vocab_size", -1)
    for home in _homes(root, config, part, source)[0 if part is LABELS else 1 :]:
        if (found := read_object(home.root, home.path("config.json"))) is not None:
            return found if size == -1 else {**found, "vocab_size": size}
    raise _missing(root, config, part, "configuration (config.json)")


def _homes(root: Path, config: Json, part: Part, source: Source) -> list[Place]:
    """Folders that may have an encoder's files, the first that has them counts."""
    own = [Place(root, "")] if part is TEXTS else []
    beside = source.beside.get(repository(config, part))
    return [*own, Place(root, part.folder), *([Place(Path(beside), "")] if beside else [])]


def _has(home: Place, name: str) -> bool:
    return exists(home.root, home.path(name))


def _lacks(root: Path, config: Json, part: Part) -> bool:
    """Whether a checkpoint needs its encoder's repository."""
    places = ["", part.folder] if part is TEXTS else [part.folder]
    tokenizer = any(exists(root, join(place, "tokenizer_config.json")) for place in places)
    return config.get(part.config) is None or not tokenizer


def _missing(root: Path, config: Json, part: Part, what: str) -> UnsupportedCheckpoint:
    name = repository(config, part)
    place = root / part.folder
    if REPO.fullmatch(name):
        hint = (
            f"hf download {name} {' '.join(SMALL)} --local-dir {place} brings it; or serve the "
            "checkpoint by its hub id, with which it is fetched"
        )
    else:
        hint = f"that is no hub id; put the encoder's small files into {place}"
    return UnsupportedCheckpoint(
        f"{CONFIG} in {root} names the encoder {name!r}, whose {what} is not in "
        f"{root if part is TEXTS else place}",
        hint=hint,
    )
