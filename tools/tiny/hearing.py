"""Models that write down what is said: Whisper, random and small.

Source of the layout: transformers 5.17, ``models/whisper``; ctranslate2 4.8 for a converted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny.bpe import byte_level
from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor, merged

WORD_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""Where GPT-2 cuts a text before it merges."""

END, START = "<|endoftext|>", "<|startoftranscript|>"
TASKS = ("<|translate|>", "<|transcribe|>")
OTHERS = ("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")

LANGUAGES = ("en", "de", "cs")

HOP, RATE = 160, 16_000
"""Samples from one spectrum to the next, and in a second."""


@dataclass(frozen=True)
class Ears:
    """Sizes of a model.

    Attributes:
        languages: What it knows; none for one that was trained on English alone.
        seconds: How much it hears at once.
        bins: Numbers in a spectrum.
        written: Tokens of a window, prompt included.
        encoder: Layers that listen.
        decoder: Layers that write.
    """

    languages: tuple[str, ...] = LANGUAGES
    seconds: int = 2
    bins: int = 80
    written: int = 64
    width: int = 32
    heads: int = 4
    encoder: int = 2
    decoder: int = 2

    @property
    def positions(self) -> int:
        """Vectors that a window becomes: one for two spectra."""
        return self.seconds * RATE // HOP // 2

    @property
    def specials(self) -> tuple[str, ...]:
        """Special tokens in order of id."""
        return (END, START, *(f"<|{code}|>" for code in self.languages), *TASKS, *OTHERS)

    @property
    def times(self) -> list[str]:
        """Tokens for times in a window."""
        return [f"<|{0.02 * step:.2f}|>" for step in range(self.positions + 1)]


def write_ears(folder: Path, seed: str, size: Ears) -> None:
    """Write a checkpoint in the layout of transformers."""
    vocabulary = write_all_but_weights(folder, size)
    write_tensors(folder / "model.safetensors", _weights(Numbers(seed), size, vocabulary))


def write_all_but_weights(folder: Path, size: Ears, merges: Sequence[tuple[str, str]] = ()) -> int:
    """Write the tokenizer and all settings.

    Args:
        folder: Where.
        size: Sizes of the model.
        merges: Of the tokenizer, in place of those of the short list.

    Returns:
        How many tokens there are.
    """
    content, vocabulary = byte_level(WORD_SPLIT, size.specials, markers=size.times, merges=merges)
    write_json(folder / "tokenizer.json", content)
    first = vocabulary - len(size.times) - len(size.specials)
    ids = {token: first + i for i, token in enumerate(size.specials)}
    write_json(folder / "tokenizer_config.json", _described(size))
    write_json(folder / "config.json", _config(size, ids, vocabulary))
    write_json(folder / "generation_config.json", _generation(size, ids))
    write_json(folder / "preprocessor_config.json", _processing(size))
    return vocabulary


def _described(size: Ears) -> dict[str, Any]:
    """Which class reads the tokenizer, and which of its tokens are no text."""
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), END)
    special = {"additional_special_tokens": list(size.specials)}
    return {"tokenizer_class": "WhisperTokenizer", **ends, **special}


def _config(size: Ears, ids: dict[str, int], vocabulary: int) -> dict[str, Any]:
    layers = {
        f"{side}_{what}": value
        for side, count in (("encoder", size.encoder), ("decoder", size.decoder))
        for what, value in (
            ("layers", count),
            ("attention_heads", size.heads),
            ("ffn_dim", 2 * size.width),
        )
    }
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": size.width,
        "num_mel_bins": size.bins,
        "max_source_positions": size.positions,
        "max_target_positions": size.written,
        "vocab_size": vocabulary,
        "scale_embedding": False,
        "decoder_start_token_id": ids[START],
        "bos_token_id": ids[END],
        "eos_token_id": ids[END],
        "pad_token_id": ids[END],
        "begin_suppress_tokens": [32, ids[END]],
        "suppress_tokens": [],
        "dtype": "float32",
        **layers,
    }


def _generation(size: Ears, ids: dict[str, int]) -> dict[str, Any]:
    known = {
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": ids[f"<|{code}|>"] for code in size.languages},
        "task_to_id": {task.strip("<|>"): ids[task] for task in TASKS},
    }
    return {
        "alignment_heads": [[0, 1], [size.decoder - 1, 2]],
        "begin_suppress_tokens": [32, ids[END]],
        "suppress_tokens": [1, 2, *(ids[t] for t in (START, *TASKS, *OTHERS[:3]))],
        "bos_token_id": ids[END],
        "decoder_start_token_id": ids[START],
        "eos_token_id": ids[END],
        "pad_token_id": ids[END],
        "max_length": size.written,
        "max_initial_timestamp_index": 50,
        "no_timestamps_token_id": ids[OTHERS[3]],
        "prev_sot_token_id": ids[OTHERS[1]],
        "return_timestamps": False,
        **(known if size.languages else {"is_multilingual": False}),
    }


def _processing(size: Ears) -> dict[str, Any]:
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "chunk_length": size.seconds,
        "feature_size": size.bins,
        "hop_length": HOP,
        "n_fft": 400,
        "n_samples": size.seconds * RATE,
        "nb_max_frames": size.seconds * RATE // HOP,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
        "sampling_rate": RATE,
    }


def _weights(numbers: Numbers, size: Ears, vocabulary: int) -> dict[str, Tensor]:
    ears, mouth, width = "model.encoder", "model.decoder", size.width
    tables = {
        f"{ears}.embed_positions.weight": (size.positions, width),
        f"{mouth}.embed_tokens.weight": (vocabulary, width),
        f"{mouth}.embed_positions.weight": (size.written, width),
        f"{ears}.conv1.weight": (width, size.bins, 3),
        f"{ears}.conv1.bias": (width,),
        f"{ears}.conv2.weight": (width, width, 3),
        f"{ears}.conv2.bias": (width,),
    }
    layers = [_layer(numbers, f"{ears}.layers.{i}", width, ()) for i in range(size.encoder)]
    layers += [
        _layer(numbers, f"{mouth}.layers.{i}", width, ("encoder_attn",))
        for i in range(size.decoder)
    ]
    norms = [numbers.norm(f"{side}.layer_norm", width) for side in (ears, mouth)]
    return merged(
        [{name: numbers.uniform(name, *shape) for name, shape in tables.items()}, *layers, *norms]
    )


def _layer(numbers: Numbers, name: str, width: int, beside: tuple[str, ...]) -> dict[str, Tensor]:
    parts = [numbers.norm(f"{name}.final_layer_norm", width)]
    for attention in ("self_attn", *beside):
        home = f"{name}.{attention}"
        parts.append(numbers.norm(f"{home}_layer_norm", width))
        parts += [
            numbers.linear(f"{home}.{kind}_proj", width, width, bias=kind != "k")
            for kind in ("q", "k", "v", "out")
        ]
    parts.append(numbers.linear(f"{name}.fc1", 2 * width, width))
    parts.append(numbers.linear(f"{name}.fc2", width, 2 * width))
    return merged(parts)


def whisper(folder: Path) -> None:
    """Hears two seconds at once, in three languages, and translates."""
    write_ears(folder, "whisper", Ears())


def whisper_english(folder: Path) -> None:
    """Trained on English alone: no tokens for languages."""
    write_ears(folder, "whisper-english", Ears(languages=()))


def whisper_full(folder: Path) -> None:
    """Hears half a minute at once, as the published ones; fewer layers write (distil-whisper)."""
    write_ears(folder, "whisper-full", Ears(seconds=30, bins=128, decoder=1))


SOUND = (whisper, whisper_english, whisper_full)
