"""SigLIP and SigLIP 2 as transformers saves them.

Source: transformers 5.17, ``models/siglip`` and ``models/siglip2``.
"""

from __future__ import annotations

from stelae.catalog.clip import part, scale_of
from stelae.catalog.files import Json
from stelae.catalog.filling import read_fill
from stelae.catalog.operations import OwnPool
from stelae.catalog.processing import read_processing
from stelae.catalog.spec import Contrast, Vision
from stelae.catalog.towers import Home, Towers, check_budget, check_fit

PARTS = ("text_model.", "vision_model.", "logit_scale", "logit_bias")
TEXT_DEFAULTS: Json = {
    "model_type": "siglip_text_model",
    "hidden_size": 768,
    "max_position_embeddings": 64,
}
VISION_DEFAULTS: Json = {"hidden_size": 768, "image_size": 224, "patch_size": 16}


def read_siglip(home: Home) -> Towers:
    """``SiglipModel``, in which SigLIP 2 is saved too where its pictures have one size."""
    config = part(home.config, "vision", VISION_DEFAULTS)
    processing = read_processing(home.root, home.folder)
    check_fit(processing, config["image_size"], home.root)
    vision = Vision(
        backbone=home.backbone("SiglipVisionModel", config, "vision_model."),
        steps=(OwnPool(),),
        processing=processing,
    )
    return _towers(home, "SiglipTextModel", vision)


def read_siglip2(home: Home) -> Towers:
    """``Siglip2Model``: pictures keep their shape and have as many patches as fit."""
    config = part(home.config, "vision", VISION_DEFAULTS)
    processing = read_processing(home.root, home.folder)
    check_budget(processing, config["patch_size"], home.root)
    vision = Vision(
        backbone=home.backbone("Siglip2VisionModel", config, "vision_model."),
        steps=(OwnPool(),),
        processing=processing,
    )
    return _towers(home, "Siglip2TextModel", vision)


def _towers(home: Home, text: str, vision: Vision) -> Towers:
    home.tensors.check_all_known(PARTS)
    fill, lowercase = read_fill(home.root, home.folder)
    config = part(home.config, "text", TEXT_DEFAULTS)
    return Towers(
        text=home.backbone(text, config, "text_model."),
        text_steps=(OwnPool(),),
        vision=vision,
        contrast=Contrast(
            scale=scale_of(home),
            bias=home.tensors.number("logit_bias"),
        ),
        fill=fill,
        lowercase=lowercase,
    )
