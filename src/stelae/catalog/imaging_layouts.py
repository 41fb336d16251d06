"""Pipelines that are known: their parts, how large their pictures are, how much they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from stelae.catalog.abilities import ImageMode
from stelae.catalog.files import Json

INDEX = "model_index.json"

UNUSED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
"""Parts that make no picture; they are not loaded."""

ALL = (ImageMode.TEXT, ImageMode.IMAGE, ImageMode.INPAINT)

Kinds = Mapping[str, tuple[str, ...]]
"""Classes that are known, by part."""


def _blocks(vae: Json) -> int:
    """Pixels for each latent, along a side."""
    blocks = vae.get("block_out_channels")
    return 2 ** (len(blocks) - 1) if isinstance(blocks, list) and blocks else 8


def _levels(vae: Json) -> int:
    levels = vae.get("temperal_downsample")
    return 2 ** len(levels) if isinstance(levels, list) else 8


def _none(trunk: Json) -> int:
    del trunk
    return 1


def _stated(trunk: Json) -> int:
    patch = trunk.get("patch_size")
    return patch if isinstance(patch, int) and patch > 0 else 2


def _two(trunk: Json) -> int:
    del trunk
    return 2


@dataclass(frozen=True, slots=True)
class Layout:
    """A pipeline.

    Attributes:
        trunk: The part that takes the noise away.
        parts: Those that it must have.
        readers: Tokens that are read by each tokenizer, the first first; ``None`` as its files
            say.
        optional: Parts that it may have.
        options: What else ``model_index.json`` may state.
        scale: Pixels for each latent along a side, from the configuration of ``vae``.
        patch: Latents that go together along a side, from that of the trunk.
        sample: Latents of a side; ``None`` as the trunk says.
        modes: What pictures can be made from.
    """

    trunk: str
    parts: Kinds
    readers: Mapping[str, int | None]
    optional: Kinds = field(default_factory=dict)
    options: tuple[str, ...] = ()
    scale: Callable[[Json], int] = _blocks
    patch: Callable[[Json], int] = _none
    sample: int | None = None
    modes: tuple[ImageMode, ...] = ALL


_CLIP: Kinds = {"text_encoder": ("CLIPTextModel",), "tokenizer": ("CLIPTokenizer",)}
_SECOND: Kinds = {
    "text_encoder_2": ("CLIPTextModelWithProjection",),
    "tokenizer_2": ("CLIPTokenizer",),
}
_NOISE: Kinds = {"scheduler": ("*Scheduler",), "vae": ("AutoencoderKL",)}

_SD = Layout(
    trunk="unet",
    parts={**_CLIP, **_NOISE, "unet": ("UNet2DConditionModel",)},
    readers={"tokenizer": None},
    options=("requires_safety_checker",),
)
_SDXL = Layout(
    trunk="unet",
    parts={**_CLIP, **_SECOND, **_NOISE, "unet": ("UNet2DConditionModel",)},
    readers={"tokenizer": None, "tokenizer_2": None},
    options=("add_watermarker", "force_zeros_for_empty_prompt", "requires_aesthetics_score"),
)

LAYOUTS: dict[str, Layout] = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionInpaintPipeline": replace(_SD, modes=(ImageMode.INPAINT,)),
    "StableDiffusionXLPipeline": _SDXL,
    "StableDiffusionXLInpaintPipeline": replace(_SDXL, modes=(ImageMode.INPAINT,)),
    "StableDiffusion3Pipeline": Layout(
        trunk="transformer",
        parts={
            **_SECOND,
            **_NOISE,
            "text_encoder": ("CLIPTextModelWithProjection",),
            "tokenizer": ("CLIPTokenizer",),
            "transformer": ("SD3Transformer2DModel",),
        },
        optional={"text_encoder_3": ("T5EncoderModel",), "tokenizer_3": ("T5Tokenizer",)},
        readers={"tokenizer": None, "tokenizer_2": None, "tokenizer_3": 256},
        patch=_stated,
    ),
    "FluxPipeline": Layout(
        trunk="transformer",
        parts={
            **_CLIP,
            **_NOISE,
            "text_encoder_2": ("T5EncoderModel",),
            "tokenizer_2": ("T5Tokenizer",),
            "transformer": ("FluxTransformer2DModel",),
        },
        readers={"tokenizer": None, "tokenizer_2": 512},
        patch=_two,
        sample=128,
    ),
    "QwenImagePipeline": Layout(
        trunk="transformer",
        parts={
            "scheduler": ("*Scheduler",),
            "text_encoder": ("Qwen2_5_VLForConditionalGeneration",),
            "tokenizer": ("Qwen2Tokenizer",),
            "transformer": ("QwenImageTransformer2DModel",),
            "vae": ("AutoencoderKLQwenImage",),
        },
        readers={"tokenizer": 512},
        scale=_levels,
        patch=_two,
        sample=128,
    ),
}
"""By class name in ``model_index.json``."""
