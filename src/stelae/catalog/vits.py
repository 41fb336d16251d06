"""VITS and the models of MMS: what their files say of how they read aloud.

Source: transformers 5.17, ``models/vits``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.abilities import Speaking
from stelae.catalog.files import Json, read_object
from stelae.catalog.options import need, positive, require, take
from stelae.catalog.voicing import VOICE, Voicing, rate_of
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

SENTENCE = 400
"""Letters that are read at once; longer sentences are read in parts."""

LETTERS = "vocab.json"


def read_vits(root: Path, config: Json) -> Voicing:
    """How a VITS reads aloud.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
    """
    file = f"config.json in {root}"
    settings = read_object(root, "tokenizer_config.json") or {}
    _check_reading(settings, f"tokenizer_config.json in {root}")
    _check_letters(root, need(config, "vocab_size", int, file))
    speaking = Speaking(
        voices=_voices(config, file),
        rate=rate_of(config, "sampling_rate", file),
        languages=_languages(settings, f"tokenizer_config.json in {root}"),
    )
    return Voicing(speaking, SENTENCE, LETTERS)


def _voices(config: Json, file: str) -> tuple[str, ...]:
    """Its voices, which have numbers if there are several."""
    count = positive(config, "num_speakers", file) or 1
    return (VOICE,) if count == 1 else tuple(map(str, range(count)))


def _languages(settings: Json, file: str) -> tuple[str, ...]:
    language = take(settings, "language", str, file)
    return (language,) if language else ()


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
