"""Models that find objects in pictures, laid out as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.clip_bpe import write_clip_bpe
from tiny.files import write_json, write_tensors
from tiny.plans import planned
from tiny.wordpiece import SPECIAL, tokenizer, vocabulary, write_wordpiece

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
"""ImageNet's."""

Config = dict[str, Any]

STAGES: Config = {
    "depths": [1, 1, 1, 1],
    "embedding_size": 16,
    "hidden_sizes": [16, 24, 32, 40],
    "layer_type": "basic",
}
"""A small ResNet."""

LAYERS: Config = {
    "d_model": 32,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 48,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "encoder_layers": 1,
}

THINGS = ("person", "clay tablet", "cat", "house", "tree")


def names(*labels: str) -> Config:
    """What the classes are called, in ``config.json``."""
    return {
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }


DETR: Config = {
    "architectures": ["DetrForObjectDetection"],
    "backbone_config": {"model_type": "resnet", "out_features": ["stage4"], **STAGES},
    "decoder_layers": 2,
    "model_type": "detr",
    "num_queries": 20,
    "use_timm_backbone": False,
    **LAYERS,
    **names("N/A", *THINGS[:3], "N/A", *THINGS[3:]),
}

RT_DETR: Config = {
    "anchor_image_size": None,
    "architectures": ["RTDetrForObjectDetection"],
    "backbone": None,
    "backbone_config": {
        "model_type": "rt_detr_resnet",
        "out_features": ["stage2", "stage3", "stage4"],
        **STAGES,
    },
    "decoder_in_channels": [32, 32, 32],
    "decoder_layers": 1,
    "decoder_n_points": 2,
    "encoder_hidden_dim": 32,
    "encoder_in_channels": [24, 32, 40],
    "hidden_expansion": 0.5,
    "model_type": "rt_detr",
    "num_denoising": 0,
    "num_queries": 20,
    "use_timm_backbone": False,
    **LAYERS,
    **names(*THINGS),
}


def tower(**options: Any) -> Config:
    """One tower of an OWLv2."""
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
    } | options


OWLV2: Config = {
    "architectures": ["Owlv2ForObjectDetection"],
    "logit_scale_init_value": 2.6592,
    "model_type": "owlv2",
    "projection_dim": 32,
    "text_config": tower(max_position_embeddings=16, model_type="owlv2_text_model", vocab_size=0),
    "vision_config": tower(image_size=96, model_type="owlv2_vision_model", patch_size=16),
}

DINO_TOKENS = 1200
"""Size of the vocabulary: as in BERT's own, many places stand empty before the words."""

GROUNDING_DINO: Config = {
    "architectures": ["GroundingDinoForObjectDetection"],
    "backbone_config": {
        "depths": [1, 1, 1, 1],
        "embed_dim": 8,
        "image_size": 64,
        "mlp_ratio": 2.0,
        "model_type": "swin",
        "num_heads": [1, 1, 2, 2],
        "out_features": ["stage2", "stage3", "stage4"],
        "window_size": 4,
    },
    "decoder_layers": 2,
    "decoder_n_points": 2,
    "encoder_n_points": 2,
    "max_text_len": 64,
    "model_type": "grounding-dino",
    "num_queries": 20,
    "text_config": tower(max_position_embeddings=64, model_type="bert", vocab_size=DINO_TOKENS),
    "use_timm_backbone": False,
    **LAYERS,
}


def processing(kind: str, size: Config, **options: Any) -> Config:
    """Content of ``preprocessor_config.json``."""
    return {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": MEAN,
        "image_processor_type": kind,
        "image_std": STD,
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": size,
    } | options


FACTORS: dict[str, dict[str, float]] = {
    "detr": {"query_position": 4.0, "q_proj": 2.5, "k_proj": 2.5, "class_labels": 5.0},
    "rt-detr": {
        "_score_head": 0.3,
        "class_embed": 0.5,
        "bbox": 0.3,
        "q_proj": 6.0,
        "k_proj": 6.0,
        "value_proj": 5.0,
        "sampling": 10.0,
    },
    "owlv2": {},
    "grounding-dino": {"bbox_embed": 0.3},
}
"""What makes models sure of some things and unsure of others."""


def write_detector(folder: Path, name: str, config: Config, reading: Config) -> None:
    """Write configuration, weights, and how pictures are read."""
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", planned(name, FACTORS[name]))
    write_json(folder / "preprocessor_config.json", reading)


def detr(folder: Path) -> None:
    """DETR: each query is one thing or nothing; the processor in its older form."""
    reading = processing("DetrImageProcessor", {"shortest_edge": 96, "longest_edge": 160})
    older = {"feature_extractor_type": "DetrFeatureExtractor", "format": "coco_detection"}
    del reading["image_processor_type"]
    write_detector(folder, "detr", DETR, reading | older | {"size": 96, "max_size": 160})


def rt_detr(folder: Path) -> None:
    """RT-DETR: the best of all queries and classes; pictures are not normalised."""
    size = {"height": 96, "width": 96}
    fixed = {"do_normalize": False, "do_pad": False}
    write_detector(folder, "rt-detr", RT_DETR, processing("RTDetrImageProcessor", size, **fixed))


def owlv2(folder: Path) -> None:
    """OWLv2: texts are looked for in a picture filled up to a square."""
    count = write_clip_bpe(folder, length=16)
    ends = {"bos_token_id": count - 2, "eos_token_id": count - 1, "pad_token_id": 0}
    config = OWLV2 | {"text_config": OWLV2["text_config"] | ends | {"vocab_size": count}}
    size = {"height": 96, "width": 96}
    write_detector(folder, "owlv2", config, processing("Owlv2ImageProcessor", size, do_pad=True))


def grounding_dino(folder: Path) -> None:
    """Grounding DINO: one text with dots in it, a label between two of them."""
    write_dino_words(folder)
    size = {"shortest_edge": 96, "longest_edge": 160}
    reading = processing("GroundingDinoImageProcessor", size, do_pad=True)
    write_detector(folder, "grounding-dino", GROUNDING_DINO, reading)


def write_dino_words(folder: Path) -> None:
    """Write BERT's tokenizer, the tokens that the library counts on at their places."""
    write_wordpiece(folder, max_length=64)
    words = [word for word in vocabulary(cased=False) if word not in {*SPECIAL, ".", "?"}]
    fixed = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    fixed |= {".": 1012, "?": 1029} | {word: 104 + i for i, word in enumerate(words)}
    places = {place: token for token, place in fixed.items()}
    tokens = [places.get(i, f"[unused{i}]") for i in range(DINO_TOKENS)]
    content = tokenizer(tokens, cased=False) | {"truncation": None, "padding": None}
    content["added_tokens"] = [
        token | {"id": fixed[token["content"]]} for token in content["added_tokens"]
    ]
    write_json(folder / "tokenizer.json", content)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")


SOUND = (detr, rt_detr, owlv2, grounding_dino)
