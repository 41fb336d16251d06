"""Models that read texts aloud, random and small, laid out as published.

Source of the layout: transformers 5.17, ``models/vits``; files of ``facebook/mms-tts-eng``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.files import write_json, write_tensors
from tiny.numbers import Tensor
from tiny.plans import planned

RATE = 16_000

LETTERS = "k'zyudhesw3cp1jmixfl0bra42nvtqo56g -"
"""What a model of English reads; the first stands between any two others, too."""

FRENCH = "kabcdefghijlmnopqrstuvwxyzéèàçùêô '-,.?!"
"""Another model's, which hears commas and stops."""

VITS: dict[str, Any] = {
    "architectures": ["VitsModel"],
    "depth_separable_num_layers": 1,
    "duration_predictor_filter_channels": 16,
    "duration_predictor_flow_bins": 4,
    "duration_predictor_num_flows": 2,
    "ffn_dim": 24,
    "flow_size": 8,
    "hidden_size": 16,
    "model_type": "vits",
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "num_speakers": 1,
    "posterior_encoder_num_wavenet_layers": 1,
    "prior_encoder_num_flows": 2,
    "prior_encoder_num_wavenet_layers": 2,
    "resblock_dilation_sizes": [[1, 3]],
    "resblock_kernel_sizes": [3],
    "sampling_rate": RATE,
    "spectrogram_bins": 17,
    "upsample_initial_channel": 16,
    "upsample_kernel_sizes": [8, 8, 4],
    "upsample_rates": [4, 4, 2],
    "vocab_size": 1 + len(LETTERS),
}

FACTORS = {"duration_predictor": 0.6, "decoder.conv_post": 0.3}
"""So that a letter lasts a few frames, and the sound is not all at its loudest."""

OLDER = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}
"""What older checkpoints call the two parts of a normalised weight."""


def write_letters(folder: Path, letters: str, **options: Any) -> None:
    """Write the files of a tokenizer whose tokens are letters."""
    tokens = {letter: i for i, letter in enumerate(letters)} | {"<unk>": len(letters)}
    write_json(folder / "vocab.json", tokens)
    settings: dict[str, Any] = {
        "add_blank": True,
        "is_uroman": False,
        "language": "eng",
        "normalize": True,
        "pad_token": letters[0],
        "phonemize": False,
        "tokenizer_class": "VitsTokenizer",
        "unk_token": "<unk>",
    }
    write_json(folder / "tokenizer_config.json", settings | options)


def vits_weights(plan: str, *, older: bool = False) -> dict[str, Tensor]:
    """Tensors of ``VitsModel``."""
    tensors = planned(plan, FACTORS)
    for new, old in OLDER.items() if older else ():
        tensors = {name.replace(new, old): tensor for name, tensor in tensors.items()}
    return tensors


def vits(folder: Path) -> None:
    """One voice that reads English, as the models of MMS are laid out."""
    write_letters(folder, LETTERS)
    write_json(folder / "config.json", VITS)
    write_tensors(folder / "model.safetensors", vits_weights("vits", older=True))


def vits_voices(folder: Path) -> None:
    """Three voices; commas and stops are read."""
    write_letters(folder, FRENCH, language="fra")
    more = {"num_speakers": 3, "speaker_embedding_size": 8, "vocab_size": 1 + len(FRENCH)}
    write_json(folder / "config.json", VITS | more)
    write_tensors(folder / "model.safetensors", vits_weights("vits-voices"))


def vits_roman(folder: Path) -> None:
    """Reads a language in Latin letters that is not written so."""
    write_letters(folder, LETTERS, language="kor", is_uroman=True)
    write_json(folder / "config.json", VITS)
    write_tensors(folder / "model.safetensors", vits_weights("vits"))


PLANNED = (vits, vits_voices)
"""Those with tensors of their own."""

SOUND = (*PLANNED, vits_roman)
