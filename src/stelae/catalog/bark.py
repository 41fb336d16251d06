"""Bark: what its files say of how it reads aloud, and in whose voices.

A voice is what was said in it before: tokens of three kinds, each in an ``.npy`` file that
``speaker_embeddings_path.json`` names.

Source: transformers 5.17, ``models/bark``.
"""

from __future__ import annotations

import re
from pathlib import Path

from stelae.catalog.abilities import Speaking
from stelae.catalog.detection import tokenizer_of
from stelae.catalog.files import Json, exists, read_object
from stelae.catalog.options import need, positive
from stelae.catalog.voicing import VOICE, Voicing, rate_of
from stelae.errors import ModelLoadFailed

SENTENCE = 180
"""Letters that are read at once: Bark speaks for 14 seconds at most."""

VOICES = "speaker_embeddings_path.json"
PARTS = ("semantic_prompt", "coarse_prompt", "fine_prompt")
KINDS = ("semantic_config", "coarse_acoustics_config", "fine_acoustics_config")

MOST_TOKENS = 4096
"""Semantic tokens of a sentence; the published models stop at 768."""

LANGUAGE = re.compile(r"(?:.*/)?([a-z]{2,3})_speaker_.*")
"""Names of voices that tell their language."""


def read_bark(root: Path, config: Json) -> Voicing:
    """How a Bark reads aloud.

    Raises:
        ModelLoadFailed: A file is missing, broken or contradicts another.
    """
    del config
    file = f"generation_config.json in {root}"
    generation = read_object(root, "generation_config.json")
    if generation is None:
        raise ModelLoadFailed(
            f"no {file}; it says which tokens mean what",
            hint="fetch the checkpoint again, with all its files",
        )
    semantic, *_ = [need(generation, kind, dict, file) for kind in KINDS]
    if (positive(semantic, "max_new_tokens", file) or 1) > MOST_TOKENS:
        raise ModelLoadFailed(
            f"{file} sets max_new_tokens={semantic['max_new_tokens']}; 1 to {MOST_TOKENS} was "
            "expected"
        )
    voices = _voices(root)
    found = (LANGUAGE.fullmatch(name) for name in voices)
    speaking = Speaking(
        voices=tuple(voices) or (VOICE,),
        rate=rate_of(generation, "sample_rate", file),
        languages=tuple(dict.fromkeys(match.group(1) for match in found if match)),
    )
    more = {"generation": generation, "voices": voices}
    return Voicing(speaking, SENTENCE, tokenizer_of(root), more)


def _voices(root: Path) -> dict[str, Json]:
    """Files of each voice, in order; those that the folder does not hold are left out.

    Raises:
        ModelLoadFailed: The list is no list of files in the checkpoint.
    """
    table = read_object(root, VOICES) or {}
    voices: dict[str, Json] = {}
    for name, files in table.items():
        if name == "repo_or_path":
            continue
        paths = files if isinstance(files, dict) else {}
        if not all(isinstance(paths.get(part), str) for part in PARTS):
            raise ModelLoadFailed(
                f"{VOICES} in {root} gives the voice {name!r} not one file of each kind: "
                f"{', '.join(PARTS)}"
            )
        if all(exists(root, paths[part]) for part in PARTS):
            voices[name] = {part: paths[part] for part in PARTS}
    return voices
