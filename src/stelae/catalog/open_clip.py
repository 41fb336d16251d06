"""Checkpoints of open_clip: ``open_clip_config.json`` and its own tensor names.

Source: open_clip 3.3, ``factory.py``, ``model.py`` and ``transformer.py``.
"""

from __future__ import annotations

import math
from pathlib import Path

from stelae.catalog.files import Json, exists, read_object
from stelae.catalog.operations import OwnPool
from stelae.catalog.options import need, positive, refuse_unknown, require, take
from stelae.catalog.processing import open_clip_processing
from stelae.catalog.spec import Contrast, Vision
from stelae.catalog.tensors import Tensors
from stelae.catalog.towers import Home, Towers, check_fit
from stelae.errors import UnsupportedCheckpoint

OPEN_CLIP = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"

EPS = 1e-5
"""Of every norm; the files do not state it."""

LARGEST = 2
"""``eos_token_id`` that stands for the largest id of a text, which open_clip pools."""

MODEL_KEYS = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"}
VISION_KEYS = {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size"}
TEXT_KEYS = {
    "context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "hf_tokenizer_name",
    "tokenizer_kwargs",
}  # fmt: skip

FIXED_VISION = {
    "pool_type": ("tok",),
    "no_ln_pre": (False,),
    "final_ln_after_pool": (False,),
    "attentional_pool": (False,),
    "pos_embed_type": ("learnable",),
    "ls_init_value": (None,),
    "patch_dropout": (0, 0.0),
    "output_tokens": (False,),
    "timm_model_name": (None,),
    "timm_model_pretrained": (False,),
    "timm_pool": ("avg",),
    "timm_proj": ("linear",),
}
FIXED_TEXT = {
    "pool_type": ("argmax",),
    "no_causal_mask": (False,),
    "embed_cls": (False,),
    "proj_bias": (False,),
    "proj_type": ("linear",),
    "pad_id": (0,),
    "ls_init_value": (None,),
    "output_tokens": (False,),
    "hf_model_name": (None,),
    "final_ln_after_pool": (False,),
}
"""Options of which only these values are implemented."""


def only_open_clip(root: Path) -> bool:
    """Whether open_clip's is the only description of the checkpoint that names its classes."""
    if not exists(root, OPEN_CLIP):
        return False
    return "architectures" not in (read_object(root, "config.json") or {})


def read_open_clip(root: Path) -> Towers:
    """The towers of a checkpoint.

    Raises:
        UnsupportedCheckpoint: An option is not implemented; the message names it.
        ModelLoadFailed: A file is broken.
    """
    file = f"{OPEN_CLIP} in {root}"
    config = read_object(root, OPEN_CLIP) or {}
    model = need(config, "model_cfg", dict, file)
    refuse_unknown(model, MODEL_KEYS, f"model_cfg of {file}")
    tensors = Tensors(root, "", (WEIGHTS,))
    home = Home(root, "", config, (WEIGHTS,), tensors)
    own = take(model, "custom_text", bool, file, False)
    activation = "quick_gelu" if take(model, "quick_gelu", bool, file, False) else "gelu"
    prefix = "text." if own else ""
    vision = _vision(need(model, "vision_cfg", dict, file), activation, f"vision_cfg of {file}")
    text = _text(need(model, "text_cfg", dict, file), activation, f"text_cfg of {file}")
    processing = open_clip_processing(
        take(config, "preprocess_cfg", dict, file, {}) or {},
        vision["image_size"],
        f"preprocess_cfg of {file}",
    )
    check_fit(processing, vision["image_size"], root)
    tensors.check_all_known(("visual.", "logit_scale", *_text_parts(prefix)))
    projection = tensors.dense(f"{prefix}text_projection", transposed=True)
    return Towers(
        text=home.backbone("CLIPTextModel", text, prefix),
        text_steps=(OwnPool(), projection),
        vision=Vision(
            backbone=home.backbone("CLIPVisionModel", vision, "visual."),
            steps=(OwnPool(), tensors.dense("visual.proj", transposed=True)),
            processing=processing,
        ),
        contrast=Contrast(scale=math.exp(tensors.number("logit_scale"))),
    )


def _text_parts(prefix: str) -> tuple[str, ...]:
    if prefix:
        return (prefix,)
    return ("transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_proj")


def _vision(config: Json, activation: str, file: str) -> Json:
    """The same as ``config.json`` of a ``CLIPVisionModel`` has it."""
    if isinstance(config.get("layers"), list):
        raise UnsupportedCheckpoint(
            f"{file} has layers={config['layers']}: a ResNet tower (RN50 and its kin), which is "
            "not implemented; its pictures are not read as patches",
            hint="take a ViT of the same family, for example ViT-B-32",
        )
    require(config, FIXED_VISION, file)
    refuse_unknown(config, {*VISION_KEYS, *FIXED_VISION}, file)
    width = positive(config, "width", file) or 768
    return {
        "hidden_size": width,
        "intermediate_size": int(width * _ratio(config, file)),
        "num_hidden_layers": positive(config, "layers", file) or 12,
        "num_attention_heads": width // (positive(config, "head_width", file) or 64),
        "image_size": positive(config, "image_size", file) or 224,
        "patch_size": positive(config, "patch_size", file) or 16,
        "hidden_act": activation,
        "layer_norm_eps": EPS,
    }


def _text(config: Json, activation: str, file: str) -> Json:
    """The same as ``config.json`` of a ``CLIPTextModel`` has it."""
    require(config, FIXED_TEXT, file)
    refuse_unknown(config, {*TEXT_KEYS, *FIXED_TEXT}, file)
    width = positive(config, "width", file) or 512
    return {
        "model_type": "clip_text_model",
        "vocab_size": positive(config, "vocab_size", file) or 49408,
        "hidden_size": width,
        "intermediate_size": int(width * _ratio(config, file)),
        "num_hidden_layers": positive(config, "layers", file) or 12,
        "num_attention_heads": positive(config, "heads", file) or 8,
        "max_position_embeddings": positive(config, "context_length", file) or 77,
        "hidden_act": activation,
        "layer_norm_eps": EPS,
        "eos_token_id": LARGEST,
    }


def _ratio(config: Json, file: str) -> float:
    ratio = config.get("mlp_ratio", 4.0)
    require({"mlp_ratio": type(ratio)}, {"mlp_ratio": (int, float)}, file)
    return float(ratio)
