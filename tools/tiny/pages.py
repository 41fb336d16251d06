"""Models of pages: a language model that sees patches, and a narrow layer on every token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.bpe import QWEN_SPLIT, byte_level
from tiny.decoder import Decoder, decoder_weights
from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor, merged
from tiny.towers import PICTURE, picture_config, pictures, under
from tiny.vision import SIGLIP, write_filled_tokenizer, write_processing

NARROW = 24
"""Width of a token's vector."""

LENGTH = 512

GEMMA = Decoder(kv_heads=1)
QWEN = Decoder(qkv_bias=True)

QWEN_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>",
)  # fmt: skip

EYE = 32
"""Width of ColQwen2's tower for pictures."""


def text_config(size: Decoder, vocabulary: int, **options: Any) -> dict[str, Any]:
    """The language model in ``config.json``."""
    return {
        "hidden_size": size.width,
        "intermediate_size": size.inner,
        "max_position_embeddings": LENGTH,
        "num_attention_heads": size.heads,
        "num_hidden_layers": size.layers,
        "num_key_value_heads": size.kv_heads,
        "vocab_size": vocabulary,
    } | options


def narrow(seed: str, width: int) -> dict[str, Tensor]:
    """The layer on every token."""
    return Numbers(f"{seed}/narrow").linear("embedding_proj_layer", NARROW, width)


def colpali(folder: Path) -> None:
    """ColPali: SigLIP's patches before the words of a Gemma."""
    vocabulary = write_filled_tokenizer(folder, "<image>", model_max_length=LENGTH)
    vision = picture_config(model_type="siglip_vision_model", vision_use_head=False, **SIGLIP)
    config = {
        "architectures": ["ColPaliForRetrieval"],
        "embedding_dim": NARROW,
        "model_type": "colpali",
        "vlm_config": {
            "image_token_index": 5,
            "model_type": "paligemma",
            "projection_dim": GEMMA.width,
            "text_config": text_config(
                GEMMA, vocabulary, model_type="gemma", head_dim=GEMMA.head, pad_token_id=0
            ),
            "vision_config": vision,
        },
    }
    write_json(folder / "config.json", config)
    projector = Numbers("colpali/projector")
    seen = pictures("colpali", own=0, bias=True)
    words = decoder_weights("colpali", GEMMA, vocabulary, prefix="vlm.language_model.model.")
    tensors = merged([
        words,
        under("vlm.vision_tower.", seen),
        projector.linear("vlm.multi_modal_projector.linear", GEMMA.width, PICTURE.width),
        narrow("colpali", GEMMA.width),
    ])  # fmt: skip
    write_tensors(folder / "model.safetensors", tensors)
    side = {"height": PICTURE.image, "width": PICTURE.image}
    half: dict[str, Any] = {
        "crop_size": ...,
        "do_center_crop": ...,
        "image_mean": [0.5] * 3,
        "image_seq_length": PICTURE.patches,
        "image_std": [0.5] * 3,
    }
    write_processing(folder, "SiglipImageProcessor", size=side, **half)


def colqwen2(folder: Path) -> None:
    """ColQwen2: patches of any shape of page between the words of a Qwen2."""
    vocabulary, vlm = _qwen2_vl(folder)
    config = {
        "architectures": ["ColQwen2ForRetrieval"],
        "embedding_dim": NARROW,
        "model_type": "colqwen2",
        "vlm_config": vlm,
    }
    write_json(folder / "config.json", config)
    words = decoder_weights("colqwen2", QWEN, vocabulary, prefix="vlm.language_model.")
    tensors = words | under("vlm.visual.", _eye("colqwen2")) | narrow("colqwen2", QWEN.width)
    write_tensors(folder / "model.safetensors", tensors)


LOOK = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""How models that see are chatted with."""


def qwen2_vl_chat(folder: Path) -> None:
    """Qwen2-VL, which is asked about pictures."""
    vocabulary, config = _qwen2_vl(folder, chat_template=LOOK)
    names = {"architectures": ["Qwen2VLForConditionalGeneration"], "tie_word_embeddings": True}
    text = config["text_config"] | {"tie_word_embeddings": True}
    write_json(folder / "config.json", config | names | {"text_config": text})
    words = decoder_weights("qwen2-vl", QWEN, vocabulary, prefix="model.")
    write_tensors(folder / "model.safetensors", words | under("visual.", _eye("qwen2-vl")))
    ends = {"eos_token_id": [text["eos_token_id"]], "do_sample": False}
    write_json(folder / "generation_config.json", ends)


def qwen2_5_vl_chat(folder: Path) -> None:
    """Qwen2.5-VL, whose tower looks through windows in one of its layers."""
    vocabulary, config = _qwen2_vl(folder, chat_template=LOOK)
    names = {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "tie_word_embeddings": True,
    }
    more = {"model_type": "qwen2_5_vl_text", "tie_word_embeddings": True}
    text = config["text_config"] | more
    vision = {
        "depth": 2, "fullatt_block_indexes": [1], "hidden_size": EYE, "intermediate_size": 2 * EYE,
        "model_type": "qwen2_5_vl_vision", "num_heads": 2, "out_hidden_size": QWEN.width,
        "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 56,
    }  # fmt: skip
    inner = {"text_config": text, "vision_config": vision}
    write_json(folder / "config.json", config | names | inner)
    words = decoder_weights("qwen2.5-vl", QWEN, vocabulary, prefix="model.")
    write_tensors(folder / "model.safetensors", words | under("visual.", _gated_eye("qwen2.5-vl")))
    write_json(folder / "generation_config.json", {"eos_token_id": [text["eos_token_id"]]})


def _gated_eye(seed: str) -> dict[str, Tensor]:
    """Tensors of Qwen2.5-VL's tower for pictures."""
    numbers = Numbers(f"{seed}/visual")
    made = _eye(seed)
    made = {name: t for name, t in made.items() if ".norm" not in name and ".fc" not in name}
    blocks = {n: t for n, t in made.items() if n.startswith("blocks.0")}
    made |= {name.replace("blocks.0", "blocks.1"): tensor for name, tensor in blocks.items()}
    made.pop("merger.ln_q.bias")
    for layer in range(2):
        block = f"blocks.{layer}"
        for norm in ("norm1", "norm2"):
            made[f"{block}.{norm}.weight"] = numbers.norm(f"{block}.{norm}", EYE)[
                f"{block}.{norm}.weight"
            ]
        made |= numbers.linear(f"{block}.mlp.gate_proj", 2 * EYE, EYE)
        made |= numbers.linear(f"{block}.mlp.up_proj", 2 * EYE, EYE)
        made |= numbers.linear(f"{block}.mlp.down_proj", EYE, 2 * EYE)
    return made


def _qwen2_vl(folder: Path, **settings: Any) -> tuple[int, dict[str, Any]]:
    """Write the tokenizer and what reads pictures; the vocabulary and the configuration."""
    content, vocabulary = byte_level(QWEN_SPLIT, QWEN_TOKENS, nfc=True)
    write_json(folder / "tokenizer.json", content)
    stated = {
        "add_prefix_space": False,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "model_max_length": LENGTH,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    write_json(folder / "tokenizer_config.json", stated | settings)
    ids = {token: vocabulary - len(QWEN_TOKENS) + i for i, token in enumerate(QWEN_TOKENS)}
    third = QWEN.head // 6
    rope = {
        "mrope_section": [QWEN.head // 2 - 2 * third, third, third],
        "rope_theta": 10000.0,
        "rope_type": "default",
    }
    processing = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_processor_type": "Qwen2VLImageProcessor",
        "max_pixels": 112 * 112,
        "merge_size": 2,
        "min_pixels": 56 * 56,
        "patch_size": 14,
        "temporal_patch_size": 2,
    }
    write_json(folder / "preprocessor_config.json", processing)
    return vocabulary, {
        "image_token_id": ids["<|image_pad|>"],
        "model_type": "qwen2_vl",
        "text_config": text_config(
            QWEN, vocabulary, model_type="qwen2_vl_text", rope_parameters=rope,
            bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"],
        ),
        "video_token_id": ids["<|image_pad|>"],
        "vision_config": {
            "depth": 1, "embed_dim": EYE, "hidden_size": QWEN.width, "mlp_ratio": 2,
            "model_type": "qwen2_vl_vision", "num_heads": 2, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
    }  # fmt: skip


def _eye(seed: str) -> dict[str, Tensor]:
    """Tensors of Qwen2-VL's tower for pictures."""
    numbers = Numbers(f"{seed}/visual")
    block, merged_width = "blocks.0", 4 * EYE
    return merged([
        {"patch_embed.proj.weight": numbers.uniform("patch", EYE, 3, 2, 14, 14)},
        numbers.norm(f"{block}.norm1", EYE),
        numbers.norm(f"{block}.norm2", EYE),
        numbers.linear(f"{block}.attn.qkv", 3 * EYE, EYE),
        numbers.linear(f"{block}.attn.proj", EYE, EYE),
        numbers.linear(f"{block}.mlp.fc1", 2 * EYE, EYE),
        numbers.linear(f"{block}.mlp.fc2", EYE, 2 * EYE),
        numbers.norm("merger.ln_q", EYE),
        numbers.linear("merger.mlp.0", merged_width, merged_width),
        numbers.linear("merger.mlp.2", QWEN.width, merged_width),
    ])  # fmt: skip


SOUND = (colpali, colqwen2, qwen2_vl_chat, qwen2_5_vl_chat)
