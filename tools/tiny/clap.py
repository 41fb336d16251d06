"""Models that compare recordings with texts: CLAP, random and small, laid out as published.

Source of the layout: transformers 5.17, ``models/clap``; files of ``laion/clap-htsat-unfused``
and ``laion/clap-htsat-fused``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.files import write_json, write_tensors
from tiny.plans import planned
from tiny.roberta import write_bytes

RATE = 16_000
SECONDS = 1
"""That the model hears at once."""

WIDTH = 24
"""Of the vectors."""

POSITIONS = 40

TEXT: dict[str, Any] = {
    "bos_token_id": 0,
    "eos_token_id": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
    "model_type": "clap_text_model",
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "pad_token_id": 1,
    "projection_dim": WIDTH,
    "type_vocab_size": 1,
}

AUDIO: dict[str, Any] = {
    "aff_block_r": 4,
    "depths": [1, 1],
    "enable_fusion": False,
    "hidden_size": 32,
    "model_type": "clap_audio_model",
    "num_attention_heads": [2, 2],
    "num_hidden_layers": 2,
    "num_mel_bins": 64,
    "patch_embeds_hidden_size": 16,
    "patch_size": 16,
    "patch_stride": [16, 16],
    "projection_dim": WIDTH,
    "spec_size": 256,
    "window_size": 4,
}

HEARING: dict[str, Any] = {
    "chunk_length_s": SECONDS,
    "feature_extractor_type": "ClapFeatureExtractor",
    "feature_size": 64,
    "fft_window_size": 512,
    "frequency_max": 7000,
    "frequency_min": 50,
    "hop_length": 160,
    "max_length_s": SECONDS,
    "n_fft": 512,
    "nb_frequency_bins": 257,
    "nb_max_samples": RATE * SECONDS,
    "padding": "repeatpad",
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "ClapProcessor",
    "return_attention_mask": False,
    "sampling_rate": RATE,
    "top_db": None,
    "truncation": "rand_trunc",
}


def write_clap(folder: Path, name: str, hearing: dict[str, Any], **audio: Any) -> None:
    """Write a model of both towers, its tokenizer, and how it hears.

    Args:
        folder: Where to.
        name: Of the plan of its tensors.
        hearing: Options of its feature extractor that differ from ``HEARING``.
        audio: Options of its audio tower that differ from ``AUDIO``.
    """
    vocabulary = write_bytes(folder)
    settings = {"model_max_length": POSITIONS - 2, "tokenizer_class": "RobertaTokenizer"}
    write_json(folder / "tokenizer_config.json", settings)
    config = {
        "architectures": ["ClapModel"],
        "audio_config": AUDIO | audio,
        "logit_scale_init_value": 14.285714285714285,
        "model_type": "clap",
        "projection_dim": WIDTH,
        "text_config": TEXT | {"vocab_size": vocabulary},
    }
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", HEARING | hearing)
    write_tensors(folder / "model.safetensors", planned(name, {}))


def clap(folder: Path) -> None:
    """Of a long recording it hears a part."""
    write_clap(folder, "clap", {})


def clap_fused(folder: Path) -> None:
    """Of a long recording it hears the whole, shrunk, and three parts."""
    write_clap(folder, "clap-fused", {"truncation": "fusion"}, enable_fusion=True)


SOUND = (clap, clap_fused)
