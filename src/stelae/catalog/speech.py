"""Checkpoints that read texts aloud.

Source: transformers 5.17, ``models/vits``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.abilities import Speaking
from stelae.catalog.detection import backbone_of, class_of
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, read_object
from stelae.catalog.options import need, positive, require, take
from stelae.catalog.reading import lowered
from stelae.catalog.spec import ModelSpec, Source
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

VITS = "VitsModel"

SPEAKERS = frozenset({VITS})
"""Class names in ``config.json`` of models that read aloud."""

VOICE = "default"
"""Name of the voice of a model that has one alone."""

SENTENCE = 400
"""Letters that are read at once; longer sentences are read in parts."""

LETTERS = "vocab.json"

RATES = (4_000, 192_000)
"""Samples per second that sound is made with."""


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
    file = f"config.json in {root}"
    settings = read_object(root, "tokenizer_config.json") or {}
    _check_reading(settings, f"tokenizer_config.json in {root}")
    _check_letters(root, need(config, "vocab_size", int, file))
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone_of(root, architecture, config),
        speaking=Speaking(
            voices=_voices(config, file),
            rate=_rate(config, file),
            languages=_languages(settings, f"tokenizer_config.json in {root}"),
        ),
        max_tokens=lowered(SENTENCE, entry.max_tokens, root),
        tokenizer=LETTERS,
    )


def _voices(config: Json, file: str) -> tuple[str, ...]:
    """Its voices, which have numbers if there are several."""
    count = positive(config, "num_speakers", file) or 1
    return (VOICE,) if count == 1 else tuple(map(str, range(count)))


def _languages(settings: Json, file: str) -> tuple[str, ...]:
    language = take(settings, "language", str, file)
    return (language,) if language else ()


def _rate(config: Json, file: str) -> int:
    rate = need(config, "sampling_rate", int, file)
    if not RATES[0] <= rate <= RATES[1]:
        raise ModelLoadFailed(
            f"{file} sets sampling_rate={rate}; {RATES[0]} to {RATES[1]} was expected"
        )
    return rate


def _check_reading(settings: Json, file: str) -> None:
    """Refuse tokenizers that need another program to read a text.

    Raises:
        UnsupportedCheckpoint: It does.
    """
    require(settings, {"tokenizer_class": ("VitsTokenizer",), "normalize": (True,)}, file)
    if take(settings, "phonemize", bool, file, True):
        raise UnsupportedCheckpoint(
            f"{file} sets phonemize=true: its texts are written in sounds by the program "
            "espeak-ng first, which is not implemented",
            hint="models that read letters are served, such as facebook/mms-tts-eng",
        )


def _check_letters(root: Path, size: int) -> None:
    """Refuse a table of letters that does not fit the model.

    Raises:
        ModelLoadFailed: It is missing, or has other numbers than the model.
    """
    table = read_object(root, LETTERS)
    if table is None:
        raise ModelLoadFailed(
            f"{LETTERS} is missing in {root}, so no text can be read",
            hint="fetch the checkpoint again, with all its files",
        )
    wrong = next((n for n, i in table.items() if type(i) is not int or not 0 <= i < size), None)
    if wrong is not None:
        raise ModelLoadFailed(
            f"{LETTERS} in {root} sets {wrong!r} to {str(table[wrong])[:100]}; the model knows the "
            f"numbers 0 to {size - 1}"
        )
