"""A model that reads aloud in several voices: Bark, random and small, laid out as published.

Source of the layout: transformers 5.17, ``models/bark``; files of ``suno/bark-small``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tiny.files import write_json, write_tensors
from tiny.plans import planned
from tiny.wordpiece import write_wordpiece

RATE = 24_000

MEANINGS = 20
"""Semantic tokens; the next number ends a text."""
CODES = 16
"""Of each codebook of the codec."""
TEXTS = 24
"""Where the numbers of text tokens begin."""

COARSE_PAD = MEANINGS + 2 * CODES

FACTORS = {"semantic.lm_head": 0.3, "codec_model.decoder.layers.15": 0.25}
"""So that it is not sure of every token, nor as loud as can be."""

VOICES = ("v2/en_speaker_0", "v2/de_speaker_3", "announcer")


def part(kind: str, inputs: int, outputs: int, **options: Any) -> dict[str, Any]:
    """Configuration of one of the three transformers."""
    sizes = {"block_size": 128, "hidden_size": 32, "num_heads": 2, "num_layers": 1}
    vocabularies = {"input_vocab_size": inputs, "output_vocab_size": outputs}
    return {"bias": False, "dropout": 0.0, "model_type": kind, **sizes, **vocabularies, **options}


def config_of(vocabulary: int) -> dict[str, Any]:
    """Content of ``config.json``."""
    return {
        "architectures": ["BarkModel"],
        "coarse_acoustics_config": part("coarse_acoustics", COARSE_PAD + 4, COARSE_PAD + 4),
        "codec_config": {
            "codebook_dim": 8,
            "codebook_size": CODES,
            "hidden_size": 8,
            "model_type": "encodec",
            "num_filters": 4,
            "num_lstm_layers": 1,
            "sampling_rate": RATE,
            "target_bandwidths": [1.5, 6.0],
        },
        "fine_acoustics_config": part(
            "fine_acoustics", CODES + 4, CODES + 4, n_codes_given=1, n_codes_total=8
        ),
        "model_type": "bark",
        "semantic_config": part("semantic", TEXTS + vocabulary + 2, TEXTS),
    }


def generation_of(vocabulary: int) -> dict[str, Any]:
    """Content of ``generation_config.json``."""
    return {
        "coarse_acoustics_config": {
            "coarse_infer_token": COARSE_PAD + 2,
            "coarse_rate_hz": 75,
            "coarse_semantic_pad_token": COARSE_PAD,
            "do_sample": True,
            "max_coarse_history": 24,
            "max_coarse_input_length": 16,
            "model_type": "coarse_acoustics",
            "n_coarse_codebooks": 2,
            "sliding_window_len": 12,
            "temperature": 0.7,
        },
        "codebook_size": CODES,
        "fine_acoustics_config": {
            "max_fine_history_length": 16,
            "max_fine_input_length": 32,
            "model_type": "fine_acoustics",
            "n_fine_codebooks": 8,
            "temperature": 0.5,
        },
        "model_type": "bark",
        "sample_rate": RATE,
        "semantic_config": {
            "do_sample": True,
            "eos_token_id": MEANINGS,
            "max_input_semantic_length": 32,
            "max_new_tokens": 24,
            "min_new_tokens": 6,
            "model_type": "semantic",
            "semantic_infer_token": TEXTS + vocabulary + 1,
            "semantic_rate_hz": 49.9,
            "semantic_vocab_size": MEANINGS,
            "temperature": 0.7,
            "text_encoding_offset": TEXTS,
            "text_pad_token": TEXTS + vocabulary,
        },
    }


def write_voice(folder: Path, name: str, seed: int) -> dict[str, str]:
    """Write what was said before in a voice; returns the files by part."""
    chance = np.random.RandomState(seed)
    parts = {
        "semantic_prompt": chance.randint(0, MEANINGS, 20),
        "coarse_prompt": chance.randint(0, CODES, (2, 30)),
        "fine_prompt": chance.randint(0, CODES, (8, 30)),
    }
    files = {kind: f"speaker_embeddings/{name}_{kind}.npy" for kind in parts}
    for kind, numbers in parts.items():
        path = folder / files[kind]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, numbers.astype(np.int64))
    return files


def bark(folder: Path) -> None:
    """Three voices in two languages, and one of none."""
    vocabulary = write_wordpiece(folder, cased=True)
    write_json(folder / "config.json", config_of(vocabulary))
    write_json(folder / "generation_config.json", generation_of(vocabulary))
    voices = {name: write_voice(folder, name, seed) for seed, name in enumerate(VOICES)}
    write_json(folder / "speaker_embeddings_path.json", {"repo_or_path": "suno/none", **voices})
    write_tensors(folder / "model.safetensors", planned("bark", FACTORS))


SOUND = (bark,)
