"""CLIP and Chinese-CLIP as transformers saves them.

Source: transformers 5.17, ``models/clip`` and ``models/chinese_clip``.
"""

from __future__ import annotations

import math
from typing import Any

from stelae.catalog.files import Json
from stelae.catalog.operations import Dense, Module, OwnPool, Pool, Pooling
from stelae.catalog.options import need, number, positive, take
from stelae.catalog.processing import read_processing
from stelae.catalog.spec import Contrast, Vision
from stelae.catalog.towers import Home, Towers, check_fit
from stelae.errors import ModelLoadFailed

PARTS = ("text_model.", "vision_model.", "text_projection.", "visual_projection.", "logit_scale")

TEXT_DEFAULTS: Json = {"model_type": "clip_text_model", "max_position_embeddings": 77}
VISION_DEFAULTS: Json = {"hidden_size": 768, "image_size": 224, "patch_size": 32}

CHINESE_TEXT_DEFAULTS: Json = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pad_token_id": 0,
}
"""What the library's class has where the file says nothing."""


def part(config: Json, name: str, defaults: Json) -> Json:
    """The options of one tower.

    Where the file has both ``text_config`` and ``text_config_dict``, as the first
    checkpoints do, the latter counts, and what it leaves out has the class's defaults.

    Raises:
        ModelLoadFailed: They are stated, but are no options.
    """
    file = "config.json"
    older = take(config, f"{name}_config_dict", dict, file)
    found: dict[str, Any] = older or take(config, f"{name}_config", dict, file, {}) or {}
    if not older and config.get(f"{name}_config", found) is None:
        raise ModelLoadFailed(f"{file} sets {name}_config=null; a tower's options were expected")
    return defaults | found


def scale_of(home: Home) -> float:
    """What the cosine of a text and a picture is multiplied by.

    Raises:
        ModelLoadFailed: There is none, or the file has no number for where training began.
    """
    number(home.config, "logit_scale_init_value", "config.json")
    return math.exp(home.tensors.number("logit_scale"))


def _projection(home: Home, name: str) -> Dense:
    """The last step of a tower, which must be as wide as the file says."""
    made = home.tensors.dense(name)
    stated = positive(home.config, "projection_dim", "config.json")
    if stated not in (None, made.outputs):
        raise ModelLoadFailed(
            f"config.json sets projection_dim={stated}, tensor {name!r} in {home.root} makes "
            f"vectors of {made.outputs}"
        )
    return made


def read_clip(home: Home) -> Towers:
    """``CLIPModel``."""
    home.tensors.check_all_known(PARTS)
    text = part(home.config, "text", TEXT_DEFAULTS)
    return Towers(
        text=home.backbone("CLIPTextModel", text, "text_model."),
        text_steps=(OwnPool(), _projection(home, "text_projection.weight")),
        vision=_vision(home, "CLIPVisionModel"),
        contrast=Contrast(scale=scale_of(home)),
    )


def read_chinese_clip(home: Home) -> Towers:
    """``ChineseCLIPModel``: its texts are read by a BERT, of which the first token counts."""
    home.tensors.check_all_known(PARTS)
    text = part(home.config, "text", CHINESE_TEXT_DEFAULTS) | {"model_type": "bert"}
    steps: tuple[Module, ...] = (
        Pool(modes=(Pooling.CLS,)),
        _projection(home, "text_projection.weight"),
    )
    return Towers(
        text=home.backbone("BertModel", text, "text_model."),
        text_steps=steps,
        vision=_vision(home, "ChineseCLIPVisionModel"),
        contrast=Contrast(scale=scale_of(home)),
    )


def read_clip_text(home: Home) -> Towers:
    """``CLIPTextModelWithProjection``."""
    text = home.backbone("CLIPTextModelWithProjection", TEXT_DEFAULTS | home.config)
    return Towers(text=text, text_steps=(OwnPool(), _projection(home, "text_projection.weight")))


def read_clip_vision(home: Home) -> Towers:
    """``CLIPVisionModelWithProjection``."""
    return Towers(vision=_tower(home, "CLIPVisionModelWithProjection", home.config, ""))


def _vision(home: Home, architecture: str) -> Vision:
    config = part(home.config, "vision", {})
    return _tower(home, architecture, config, "vision_model.")


def _tower(home: Home, architecture: str, config: Json, prefix: str) -> Vision:
    config = VISION_DEFAULTS | config
    for option in ("image_size", "patch_size"):
        need(config, option, int, "config.json")
        positive(config, option, "config.json")
    processing = read_processing(home.root, home.folder)
    check_fit(processing, config["image_size"], home.root)
    return Vision(
        backbone=home.backbone(architecture, config, prefix),
        steps=(OwnPool(), _projection(home, "visual_projection.weight")),
        processing=processing,
    )
