"""Pipelines that make pictures, in the folders that diffusers reads, with numbers of our own."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import diffusers
import transformers

from tiny.clip_bpe import write_clip_bpe
from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor

d: Any = diffusers
t: Any = transformers

LENGTH = 77
"""Tokens that CLIP's text tower reads."""

LATENT = 8
"""Side of the latents that each pipeline was made for."""

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
"""Noise of the training, as all published checkpoints of the first families state it."""


def write_part(folder: Path, model: Any, seed: str) -> None:
    """Write a model of diffusers or transformers: its configuration, and numbers by name.

    Args:
        folder: Of the part.
        model: With any weights.
        seed: Of the numbers.
    """
    if isinstance(model, d.ModelMixin):
        model.save_config(folder)
        file = "diffusion_pytorch_model.safetensors"
    else:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        file = "model.safetensors"
    numbers = Numbers(seed)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    write_tensors(folder / file, {n: _filled(numbers, n, s) for n, s in shapes.items()})


def _filled(numbers: Numbers, name: str, shape: tuple[int, ...]) -> Tensor:
    """A layer's numbers, as large as keep what runs through it in bounds."""
    if len(shape) > 1:
        inputs = 1
        for side in shape[1:]:
            inputs *= side
        return numbers.uniform(name, *shape, spread=1.0 if "embed" in name else sqrt(3 / inputs))
    if name.endswith("bias"):
        return numbers.uniform(name, *shape, spread=0.1)
    return numbers.uniform(name, *shape, middle=1.0, spread=0.2)


def write_scheduler(folder: Path, scheduler: Any) -> None:
    """Write how noise is taken away."""
    scheduler.save_config(folder / "scheduler")


def write_index(
    folder: Path, pipeline: str, parts: dict[str, tuple[str | None, str | None]], **options: Any
) -> None:
    """Write ``model_index.json``.

    Args:
        folder: Of the pipeline.
        pipeline: Its class.
        parts: Library and class of each part.
        options: Whatever else it states.
    """
    index = {"_class_name": pipeline, "_diffusers_version": d.__version__}
    write_json(folder / "model_index.json", {**index, **options, **parts})


def clip_tower(
    folder: Path, part: str, seed: str, *, projected: bool = False, act: str = "quick_gelu"
) -> None:
    """Write a text tower of CLIP and its tokenizer."""
    reader = folder / part.replace("text_encoder", "tokenizer")
    vocabulary = write_clip_bpe(reader, length=LENGTH)
    config = t.CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        projection_dim=16,
        hidden_act=act,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    kind = t.CLIPTextModelWithProjection if projected else t.CLIPTextModel
    write_part(folder / part, kind(config), seed)


def write_vae(folder: Path, seed: str, channels: int = 4, **options: Any) -> None:
    """Write what makes pixels of latents: 8 by 8 of one."""
    vae = d.AutoencoderKL(
        block_out_channels=[8] * 4,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=8 * LATENT,
        **options,
    )
    write_part(folder / "vae", vae, f"{seed}/vae")


def write_unet(folder: Path, seed: str, **options: Any) -> None:
    """Write the network that takes noise from latents."""
    plain = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 16,
        "attention_head_dim": 2,
    }
    unet = d.UNet2DConditionModel(
        layers_per_block=1, norm_num_groups=4, sample_size=LATENT, **{**plain, **options}
    )
    write_part(folder / "unet", unet, f"{seed}/unet")


STABLE_PARTS: dict[str, tuple[str | None, str | None]] = {
    "feature_extractor": (None, None),
    "image_encoder": (None, None),
    "safety_checker": (None, None),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
}


def sd(folder: Path) -> None:
    """Stable Diffusion 1.x: one text tower, a U-Net, noise of 1,000 steps."""
    clip_tower(folder, "text_encoder", "sd/text")
    write_unet(folder, "sd")
    write_vae(folder, "sd")
    options = {"skip_prk_steps": True, "steps_offset": 1, "set_alpha_to_one": False}
    write_scheduler(folder, d.PNDMScheduler(**BETAS, **options))
    parts = {**STABLE_PARTS, "scheduler": ("diffusers", "PNDMScheduler")}
    write_index(folder, "StableDiffusionPipeline", parts, requires_safety_checker=False)


MAKERS = {"sd": sd}
"""How each pipeline is written, by name."""
