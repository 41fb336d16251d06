"""CLIP as open_clip saves it, under the names that transformers has for the same parts.

Source: open_clip 3.3, ``model.py``, ``transformer.py`` and ``transform.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image
from torch import Tensor

BLOCK = re.compile(
    r"(?P<tower>visual\.|text\.|)transformer\.resblocks\.(?P<layer>\d+)\.(?P<rest>.+)"
)

PARTS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}

NAMES = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "logit_scale": "logit_scale",
}

NORMS = {
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "ln_final": "text_model.final_layer_norm",
}

PROJECTIONS = {"visual.proj": "visual_projection", "text_projection": "text_projection"}

OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073]
OPENAI_STD = [0.26862954, 0.26130258, 0.27577711]


def as_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a ``CLIPModel``.

    Raises:
        KeyError: One of them has no place in it.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        found |= _renamed(name, tensor)
    return found


def _renamed(name: str, tensor: Tensor) -> dict[str, Tensor]:
    if block := BLOCK.fullmatch(name):
        tower = "vision_model" if block["tower"] == "visual." else "text_model"
        return _of_block(f"{tower}.encoder.layers.{block['layer']}.", block["rest"], tensor)
    plain = name.removeprefix("text.")
    if plain in PROJECTIONS:
        return {f"{PROJECTIONS[plain]}.weight": tensor.T}
    stem, _, part = plain.rpartition(".")
    return {f"{NORMS[stem]}.{part}" if stem in NORMS else NAMES[plain]: tensor}


def _of_block(home: str, rest: str, tensor: Tensor) -> dict[str, Tensor]:
    if rest.startswith("attn.in_proj_"):
        part = rest.removeprefix("attn.in_proj_")
        thirds = zip("qkv", tensor.chunk(3), strict=True)
        return {f"{home}self_attn.{one}_proj.{part}": third for one, third in thirds}
    stem, _, part = rest.rpartition(".")
    return {f"{home}{PARTS[stem]}.{part}": tensor}


def clip_config(model: Mapping[str, Any]) -> dict[str, Any]:
    """``config.json`` of a ``CLIPModel``, from ``model_cfg``; what it leaves out is the default.

    With ``eos_token_id`` 2 the library takes the vector at the largest id of a text, as
    open_clip does.
    """
    text, seen = model["text_cfg"], model["vision_cfg"]
    shared = {"hidden_act": "quick_gelu" if model.get("quick_gelu") else "gelu"}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": model["embed_dim"],
        "text_config": shared
        | _sizes(text, 512)
        | {
            "num_attention_heads": text.get("heads", 8),
            "vocab_size": text.get("vocab_size", 49408),
            "max_position_embeddings": text.get("context_length", 77),
            "eos_token_id": 2,
        },
        "vision_config": shared
        | _sizes(seen, 768)
        | {
            "num_attention_heads": seen.get("width", 768) // seen.get("head_width", 64),
            "image_size": seen.get("image_size", 224),
            "patch_size": seen.get("patch_size", 16),
        },
    }


def _sizes(tower: Mapping[str, Any], width: int) -> dict[str, Any]:
    width = tower.get("width", width)
    return {
        "hidden_size": width,
        "intermediate_size": int(width * tower.get("mlp_ratio", 4.0)),
        "num_hidden_layers": tower.get("layers", 12),
        "layer_norm_eps": 1e-5,
    }


def clip_processing(stated: Mapping[str, Any]) -> dict[str, Any]:
    """``preprocessor_config.json`` for pictures that have their size already."""
    steps = stated.get("preprocess_cfg") or {}
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": False,
        "do_center_crop": False,
        "do_convert_rgb": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": steps.get("mean", OPENAI_MEAN),
        "image_std": steps.get("std", OPENAI_STD),
    }


def shown(stated: Mapping[str, Any]) -> Callable[[Image.Image], Image.Image]:
    """What open_clip does to a picture before its colours become numbers.

    torchvision's ``Resize`` cuts the longer side down to a whole number, ``CenterCrop``
    rounds half of what is left over to the even neighbour. Transparency is dropped last, so
    that it weighs in where colours are mixed; a palette is resized by the nearest pixel.
    """
    steps = stated.get("preprocess_cfg") or {}
    size = steps.get("size", stated["model_cfg"]["vision_cfg"].get("image_size", 224))
    height, width = (size, size) if isinstance(size, int) else size
    bilinear = steps.get("interpolation") == "bilinear"
    kind = Image.Resampling.BILINEAR if bilinear else Image.Resampling.BICUBIC

    def show(image: Image.Image) -> Image.Image:
        if steps.get("resize_mode") == "squash":
            return image.resize((width, height), kind).convert("RGB")
        short = min(image.size)
        across, down = (int(height * side / short) for side in image.size)
        left, top = round((across - width) / 2), round((down - height) / 2)
        resized = image.resize((across, down), kind).convert("RGB")
        return resized.crop((left, top, left + width, top + height))

    return show
