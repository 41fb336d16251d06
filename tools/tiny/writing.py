"""Models that write what a picture holds, laid out as published: Florence-2 and Donut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tiny import roberta
from tiny.classic import write_settings, write_unigram
from tiny.files import write_json, write_tensors
from tiny.plans import planned
from tiny.seeing import Config, processing

PLACES = tuple(f"<loc_{i}>" for i in range(1000))
FLORENCE_MARKS = (
    "<od>", "</od>", "<ocr>", "</ocr>", *PLACES, "<poly>", "</poly>", "<sep>", "<image>",
)  # fmt: skip
"""Tokens behind those of BART."""

PATCHES = 17
"""Tokens of a picture: one for all of it, and one for each of 4 x 4 parts."""

LENGTH = 128

FLORENCE2: Config = {
    "architectures": ["Florence2ForConditionalGeneration"],
    "image_token_id": 0,
    "is_encoder_decoder": True,
    "model_type": "florence2",
    "text_config": {
        "bos_token_id": 0,
        "d_model": 32,
        "decoder_attention_heads": 2,
        "decoder_ffn_dim": 48,
        "decoder_layers": 1,
        "decoder_start_token_id": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 48,
        "encoder_layers": 1,
        "eos_token_id": 2,
        "max_position_embeddings": LENGTH,
        "model_type": "bart",
        "pad_token_id": 1,
        "vocab_size": 0,
    },
    "vision_config": {
        "depths": [1, 1],
        "embed_dim": [16, 32],
        "mlp_ratio": 2.0,
        "model_type": "florence_vision",
        "num_groups": [2, 4],
        "num_heads": [2, 4],
        "patch_padding": [3, 1],
        "patch_prenorm": [False, True],
        "patch_size": [7, 3],
        "patch_stride": [4, 2],
        "projection_dim": 32,
        "window_size": 4,
    },
}

RULES: Config = {
    "description_with_bboxes": {"NUM_BBOX_HEIGHT_BINS": 1000, "NUM_BBOX_WIDTH_BINS": 1000},
    "description_with_bboxes_or_polygons": {},
    "bboxes": {},
    "description_with_polygons": {},
    "ocr": {"AREA_THRESHOLD": 0.0},
    "phrase_grounding": {"banned_grounding_tokens": ["it", "he", "the image"]},
    "polygons": {},
    "pure_text": {},
}
"""How answers are read, as ``processor_config.json`` says it."""

DONUT_MARKS = (
    "<s_synthdog>", "<s_menu>", "</s_menu>", "<s_nm>", "</s_nm>", "<s_price>", "</s_price>",
    "<sep/>", "<yes/>", "<no/>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>",
    "<s_tiny>",
)  # fmt: skip
"""Tokens behind those of XLM-RoBERTa; the task of this model is the last."""

DONUT: Config = {
    "architectures": ["VisionEncoderDecoderModel"],
    "decoder": {
        "activation_function": "gelu",
        "add_cross_attention": True,
        "add_final_layer_norm": True,
        "d_model": 32,
        "decoder_attention_heads": 2,
        "decoder_ffn_dim": 48,
        "decoder_layers": 1,
        "forced_eos_token_id": 2,
        "is_decoder": True,
        "is_encoder_decoder": False,
        "max_position_embeddings": LENGTH,
        "model_type": "mbart",
        "scale_embedding": True,
        "vocab_size": 0,
    },
    "encoder": {
        "depths": [1, 1],
        "embed_dim": 16,
        "image_size": [64, 48],
        "mlp_ratio": 2.0,
        "model_type": "donut-swin",
        "num_heads": [2, 2],
        "patch_size": 4,
        "window_size": 4,
    },
    "is_encoder_decoder": True,
    "model_type": "vision-encoder-decoder",
    "pad_token_id": 1,
}


def write_marks(folder: Path, marks: tuple[str, ...], size: int, tokenizer: str) -> int:
    """Add tokens that stand for themselves to RoBERTa's kind of tokenizer.

    Returns:
        Size of the vocabulary, marks included; they are the last.
    """
    table = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    table["added_tokens"] += [
        {
            "id": size + i, "content": mark, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": True,
        }
        for i, mark in enumerate(marks)
    ]  # fmt: skip
    write_json(folder / "tokenizer.json", table)
    known = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in table["added_tokens"]
    }
    write_settings(folder, tokenizer, added_tokens_decoder=known)
    return size + len(marks)


def write_writer(
    folder: Path, name: str, config: Config, reading: Config, generation: Config
) -> None:
    """Write configuration, weights, and how pictures are read and answers written."""
    write_json(folder / "config.json", config)
    tensors = planned(name, FACTORS[name])
    words, louder = LOUDER[name]
    for ids, factor in louder:
        if words in tensors:
            tensors[words][ids] *= np.float32(factor)
    write_tensors(folder / "model.safetensors", tensors)
    write_json(folder / "preprocessor_config.json", reading)
    write_json(folder / "generation_config.json", generation)


FACTORS: dict[str, dict[str, float]] = {
    "florence2": {"encoder_attn": 2.0},
    "donut": {"encoder_attn": 2.0, "self_attn": 2.0},
}
"""What makes models write now this, now that."""

LOUDER: dict[str, tuple[str, tuple[tuple[slice, float], ...]]] = {
    "florence2": ("model.language_model.shared.weight", ((slice(2, 3), 1.8),)),
    "donut": (
        "decoder.model.decoder.embed_tokens.weight",
        ((slice(2, 3), 1.5), (slice(-len(DONUT_MARKS), None), 1.5)),
    ),
}
"""Tokens that are written more often than the others: the end, and tags."""


def florence2(folder: Path) -> None:
    """Florence-2: a question for each task, places among the words of the answer."""
    size = roberta.write_bytes(folder)
    count = write_marks(folder, FLORENCE_MARKS, size, "RobertaTokenizer")
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    picture = {"image_token": "<image>", "extra_special_tokens": {"image_token": "<image>"}}
    write_json(folder / "tokenizer_config.json", settings | picture)
    text = FLORENCE2["text_config"] | {"vocab_size": count}
    config = FLORENCE2 | {"image_token_id": count - 1, "text_config": text}
    side = {"height": 32, "width": 32}
    more: dict[str, Any] = {"crop_size": side, "do_center_crop": False, "image_seq_length": PATCHES}
    reading = processing("CLIPImageProcessor", side, **more) | {"resample": 3}
    generation = {
        "bos_token_id": 0,
        "decoder_start_token_id": 2,
        "early_stopping": True,
        "eos_token_id": 2,
        "forced_bos_token_id": 0,
        "forced_eos_token_id": 2,
        "no_repeat_ngram_size": 3,
        "num_beams": 3,
        "pad_token_id": 1,
    }
    write_json(
        folder / "processor_config.json",
        {"post_processor_config": RULES, "processor_class": "Florence2Processor"},
    )
    write_writer(folder, "florence2", config, reading, generation)


def donut(folder: Path) -> None:
    """Donut: tags around the fields of a page."""
    size = write_unigram(folder, ("<s>", "<pad>", "</s>", "<unk>"))
    count = write_marks(folder, DONUT_MARKS, size, "XLMRobertaTokenizer")
    config = DONUT | {"decoder": DONUT["decoder"] | {"vocab_size": count}}
    half: dict[str, Any] = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    more = {"do_align_long_axis": False, "do_pad": True, "do_thumbnail": True}
    reading = processing("DonutImageProcessor", {"height": 64, "width": 48}, **more, **half)
    generation = {
        "_from_model_config": True,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "forced_eos_token_id": 2,
        "max_length": 40,
        "pad_token_id": 1,
    }
    write_writer(folder, "donut", config, reading, generation)


SOUND = (florence2, donut)
