"""Pipelines that make pictures, in the folders that diffusers reads, with numbers of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import diffusers
import transformers
from safetensors import safe_open

from tiny.clip_bpe import write_clip_bpe
from tiny.decoder_tokenizers import write_qwen_tokenizer
from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor
from tiny.unigram import framed, precompiled, unigram

d: Any = diffusers
t: Any = transformers

LENGTH = 77
"""Tokens that CLIP's text tower reads."""

LATENT = 8
"""Side of the latents that each pipeline was made for."""

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
"""Noise of the training, as all published checkpoints of the first families state it."""

SHIFTED: dict[str, Any] = {
    "scaling_factor": 1.5,
    "shift_factor": 0.06,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
"""Latents of the later families."""

DYNAMIC: dict[str, Any] = {
    "shift": 3.0,
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 1.15,
}
"""Noise that depends on the size of a picture."""

FLOW = ("diffusers", "FlowMatchEulerDiscreteScheduler")


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
    learned = {name: tuple(value.shape) for name, value in model.named_parameters()}
    tensors = {
        name: _filled(numbers, name, learned[name]) if name in learned else value.numpy()
        for name, value in model.state_dict().items()
        if not name.endswith("encoder.embed_tokens.weight")  # of T5: the table ``shared`` again
    }
    write_tensors(folder / file, tensors)


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
    folder: Path, pipeline: str, parts: Mapping[str, tuple[str | None, str | None]], **options: Any
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


def write_vae(folder: Path, seed: str, blocks: int = 4, channels: int = 4, **options: Any) -> None:
    """Write what makes pixels of latents: of each a square with sides of ``2 ** (blocks - 1)``."""
    vae = d.AutoencoderKL(
        block_out_channels=[8] * blocks,
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
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


def sd_inpaint(folder: Path) -> None:
    """Stable Diffusion for inpainting: the U-Net reads the mask and what lies around it."""
    clip_tower(folder, "text_encoder", "sd-inpaint/text")
    write_unet(folder, "sd-inpaint", in_channels=9)
    write_vae(folder, "sd-inpaint")
    write_scheduler(folder, d.DDIMScheduler(**BETAS, steps_offset=1, clip_sample=False))
    parts = {**STABLE_PARTS, "scheduler": ("diffusers", "DDIMScheduler")}
    write_index(folder, "StableDiffusionInpaintPipeline", parts, requires_safety_checker=False)


def sdxl(folder: Path) -> None:
    """Stable Diffusion XL: two text towers, sizes told to the U-Net."""
    clip_tower(folder, "text_encoder", "sdxl/text")
    clip_tower(folder, "text_encoder_2", "sdxl/text-2", projected=True, act="gelu")
    write_unet(
        folder,
        "sdxl",
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        attention_head_dim=(2, 4),
        cross_attention_dim=32,
        projection_class_embeddings_input_dim=16 + 6 * 8,
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
    )
    write_vae(folder, "sdxl", scaling_factor=0.13025, force_upcast=True)
    options = {"timestep_spacing": "leading", "steps_offset": 1}
    write_scheduler(folder, d.EulerDiscreteScheduler(**BETAS, **options))
    parts = {
        "feature_extractor": (None, None),
        "image_encoder": (None, None),
        "scheduler": ("diffusers", "EulerDiscreteScheduler"),
        "text_encoder": ("transformers", "CLIPTextModel"),
        "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
        "tokenizer": ("transformers", "CLIPTokenizer"),
        "tokenizer_2": ("transformers", "CLIPTokenizer"),
        "unet": ("diffusers", "UNet2DConditionModel"),
        "vae": ("diffusers", "AutoencoderKL"),
    }
    write_index(folder, "StableDiffusionXLPipeline", parts, force_zeros_for_empty_prompt=True)


def sd_turbo(folder: Path) -> None:
    """SD-Turbo: Stable Diffusion 2.1 for one step, from the end of the noise."""
    clip_tower(folder, "text_encoder", "sd-turbo/text", act="gelu")
    write_unet(folder, "sd-turbo", attention_head_dim=(2, 4), use_linear_projection=True)
    write_vae(folder, "sd-turbo")
    write_scheduler(folder, d.EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing"))
    parts = {**STABLE_PARTS, "scheduler": ("diffusers", "EulerDiscreteScheduler")}
    write_index(folder, "StableDiffusionPipeline", parts, requires_safety_checker=False)


def t5_tower(folder: Path, part: str, seed: str, width: int) -> None:
    """Write a text tower of T5 and its tokenizer."""
    reader = folder / part.replace("text_encoder", "tokenizer")
    frame = framed(["A:0", "</s>:0"], ["A:0", "</s>:0", "B:0", "</s>:0"], {"</s>": 1})
    content, vocabulary = unigram(
        ["<pad>", "</s>", "<unk>"], [], unknown=2, normalizer=precompiled(), frame=frame
    )
    settings = {
        "eos_token": "</s>",
        "extra_ids": 0,
        "model_max_length": 512,
        "pad_token": "<pad>",
        "tokenizer_class": "T5Tokenizer",
        "unk_token": "<unk>",
    }
    write_json(reader / "tokenizer.json", content)
    write_json(reader / "tokenizer_config.json", settings)
    config = t.T5Config(
        vocab_size=vocabulary,
        d_model=width,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    write_part(folder / part, t.T5EncoderModel(config), seed)


def sd3(folder: Path) -> None:
    """Stable Diffusion 3: two towers of CLIP and one of T5, a transformer, flow matching."""
    for part in ("text_encoder", "text_encoder_2"):
        clip_tower(folder, part, f"sd3/{part}", projected=True)
    t5_tower(folder, "text_encoder_3", "sd3/text-3", width=32)
    trunk = d.SD3Transformer2DModel(
        sample_size=LATENT,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        pos_embed_max_size=16,
        qk_norm="rms_norm",
        dual_attention_layers=(0,),
    )
    write_part(folder / "transformer", trunk, "sd3/transformer")
    write_vae(folder, "sd3", channels=16, **SHIFTED)
    write_scheduler(folder, d.FlowMatchEulerDiscreteScheduler(shift=3.0))
    parts = {
        "scheduler": FLOW,
        "text_encoder": ("transformers", "CLIPTextModelWithProjection"),
        "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
        "text_encoder_3": ("transformers", "T5EncoderModel"),
        "tokenizer": ("transformers", "CLIPTokenizer"),
        "tokenizer_2": ("transformers", "CLIPTokenizer"),
        "tokenizer_3": ("transformers", "T5TokenizerFast"),
        "transformer": ("diffusers", "SD3Transformer2DModel"),
        "vae": ("diffusers", "AutoencoderKL"),
    }
    write_index(folder, "StableDiffusion3Pipeline", parts)


def flux(folder: Path) -> None:
    """FLUX.1: a tower of CLIP, one of T5, guidance as a number that the transformer reads."""
    clip_tower(folder, "text_encoder", "flux/text")
    t5_tower(folder, "text_encoder_2", "flux/text-2", width=32)
    trunk = d.FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    write_part(folder / "transformer", trunk, "flux/transformer")
    write_vae(folder, "flux", blocks=2, **SHIFTED)
    write_scheduler(folder, d.FlowMatchEulerDiscreteScheduler(**DYNAMIC))
    parts = {
        "scheduler": FLOW,
        "text_encoder": ("transformers", "CLIPTextModel"),
        "text_encoder_2": ("transformers", "T5EncoderModel"),
        "tokenizer": ("transformers", "CLIPTokenizer"),
        "tokenizer_2": ("transformers", "T5TokenizerFast"),
        "transformer": ("diffusers", "FluxTransformer2DModel"),
        "vae": ("diffusers", "AutoencoderKL"),
    }
    write_index(folder, "FluxPipeline", parts)


def qwen_image(folder: Path) -> None:
    """Qwen-Image: a language model that sees as the text tower, pictures as films of one frame."""
    write_qwen_reader(folder)
    trunk = d.QwenImageTransformer2DModel(
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(4, 4, 8),
    )
    write_part(folder / "transformer", trunk, "qwen-image/transformer")
    vae = d.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.1, -0.2, 0.0, 0.3],
        latents_std=[1.5, 2.0, 1.0, 0.8],
    )
    write_part(folder / "vae", vae, "qwen-image/vae")
    write_scheduler(folder, d.FlowMatchEulerDiscreteScheduler(**DYNAMIC))
    parts = {
        "scheduler": FLOW,
        "text_encoder": ("transformers", "Qwen2_5_VLForConditionalGeneration"),
        "tokenizer": ("transformers", "Qwen2Tokenizer"),
        "transformer": ("diffusers", "QwenImageTransformer2DModel"),
        "vae": ("diffusers", "AutoencoderKLQwenImage"),
    }
    write_index(folder, "QwenImagePipeline", parts)


def write_qwen_reader(folder: Path) -> None:
    """Write the text tower of Qwen-Image and its tokenizer."""
    vocabulary = write_qwen_tokenizer(
        folder / "tokenizer", after="", model_max_length=131072, padding_side="right"
    )
    text = {
        "vocab_size": vocabulary,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2],
        },
        "bos_token_id": None,
        "eos_token_id": None,
    }  # fmt: skip
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 16,
        "fullatt_block_indexes": [0],
    }
    config = t.Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    model = t.Qwen2_5_VLForConditionalGeneration(config)
    write_part(folder / "text_encoder", model, "qwen-image/text")


def write_lora(
    folder: Path, base: Path, part: str, targets: Sequence[str] = ("to_q", "to_v"), rank: int = 4
) -> None:
    """Write an adapter as diffusers does, whose numbers follow from the folder's name.

    Args:
        folder: Where to.
        base: Pipeline that it is for.
        part: The part that it changes.
        targets: Ends of the names of the layers that it changes.
        rank: Of its matrices.
    """
    numbers = Numbers(folder.name)
    tensors: dict[str, Tensor] = {}
    with safe_open(base / part / "diffusion_pytorch_model.safetensors", "numpy") as file:
        names = [name.removesuffix(".weight") for name in file.keys()]  # noqa: SIM118
        for name in names:
            if name.endswith(tuple(f".{target}" for target in targets)):
                outputs, inputs = file.get_slice(f"{name}.weight").get_shape()
                path = f"{part}.{name}"
                tensors |= numbers.linear(f"{path}.lora_A", rank, inputs, bias=False)
                tensors |= numbers.linear(f"{path}.lora_B", outputs, rank, bias=False)
    write_tensors(folder / "pytorch_lora_weights.safetensors", tensors)


MAKERS = {
    "sd": sd,
    "sd-inpaint": sd_inpaint,
    "sdxl": sdxl,
    "sd-turbo": sd_turbo,
    "sd3": sd3,
    "flux": flux,
    "qwen-image": qwen_image,
}
"""How each pipeline is written, by name."""
