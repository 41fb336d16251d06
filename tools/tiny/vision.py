"""Models that read pictures: one checkpoint per family and layout, as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.bert import Size, bert_config, bert_weights
from tiny.bpe import with_byte_fallback
from tiny.classic import OFFSET, write_settings, write_unigram
from tiny.clip_bpe import write_clip_bpe
from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor
from tiny.towers import (
    PICTURE,
    TEXT,
    as_open_clip,
    attention_pool,
    number,
    picture_config,
    pictures,
    text_config,
    texts,
    under,
)
from tiny.wordpiece import write_wordpiece

OUTPUTS = 40
"""Width of the vectors."""

SCALE = 2.6592
"""Logarithm of the factor on cosines before training."""

MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]

ACTIVATION = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
SIGLIP = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}

CHINESE = Size(width=48, heads=4, inner=96, positions=64)


def write_processing(folder: Path, kind: str = "CLIPImageProcessor", **options: Any) -> None:
    """Write ``preprocessor_config.json``: CLIP's steps, for small pictures."""
    side = PICTURE.image
    steps = {
        "crop_size": {"height": side, "width": side},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": MEAN,
        "image_processor_type": kind,
        "image_std": STD,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": side},
    }
    content = {key: value for key, value in (steps | options).items() if value is not ...}
    write_json(folder / "preprocessor_config.json", content)


def clip_towers(seed: str, vocabulary: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors of both towers of a CLIP, each without a prefix."""
    seen = pictures(seed, own=1, bias=False)
    seen |= Numbers(f"{seed}/vision").norm("pre_layrnorm", PICTURE.width)
    return texts(seed, vocabulary), seen


def projections(seed: str) -> dict[str, Tensor]:
    """The last layer of each tower."""
    numbers = Numbers(f"{seed}/projections")
    return {
        f"{kind}_projection.weight": numbers.uniform(kind, OUTPUTS, width)
        for kind, width in (("text", TEXT.width), ("visual", PICTURE.width))
    }


def clip_config(vocabulary: int) -> dict[str, Any]:
    """Content of ``config.json``."""
    ends = {
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
    }
    return {
        "architectures": ["CLIPModel"],
        "logit_scale_init_value": SCALE,
        "model_type": "clip",
        "projection_dim": OUTPUTS,
        "text_config": text_config(
            vocabulary, model_type="clip_text_model", projection_dim=OUTPUTS, **ACTIVATION, **ends
        ),
        "vision_config": picture_config(
            model_type="clip_vision_model", projection_dim=OUTPUTS, **ACTIVATION
        ),
    }


def clip_weights(seed: str, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``CLIPModel``."""
    read, seen = clip_towers(seed, vocabulary)
    towers = under("text_model.", read) | under("vision_model.", seen)
    return towers | projections(seed) | {"logit_scale": number(SCALE)}


def clip(folder: Path) -> None:
    """CLIP as transformers saves it today."""
    vocabulary = write_clip_bpe(folder)
    write_json(folder / "config.json", clip_config(vocabulary))
    write_tensors(folder / "model.safetensors", clip_weights("clip", vocabulary))
    write_processing(folder)


def clip_legacy(folder: Path) -> None:
    """CLIP as it was first published, in a folder of sentence-transformers."""
    home = folder / "0_CLIPModel"
    vocabulary = write_clip_bpe(home)
    config = clip_config(vocabulary)
    wrong = {"eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1}
    config["text_config"] |= wrong
    config["vision_config"] |= {"hidden_size": 999}
    config["vision_config_dict"] = picture_config(projection_dim=OUTPUTS)
    write_json(home / "config.json", config)
    write_tensors(home / "model.safetensors", clip_weights("clip-legacy", vocabulary))
    older: dict[str, Any] = {
        "crop_size": PICTURE.image,
        "do_convert_rgb": ...,
        "do_rescale": ...,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_processor_type": ...,
        "rescale_factor": ...,
        "size": PICTURE.image,
    }
    write_processing(home, **older)
    module = "sentence_transformers.models.CLIPModel"
    row = {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": module}
    write_json(folder / "modules.json", [row])


def clip_text(folder: Path) -> None:
    """The tower for texts alone, with its last layer."""
    vocabulary = write_clip_bpe(folder)
    config = clip_config(vocabulary)["text_config"]
    write_json(folder / "config.json", config | {"architectures": ["CLIPTextModelWithProjection"]})
    weights = clip_weights("clip-text", vocabulary)
    part = {name: t for name, t in weights.items() if name.startswith("text_")}
    write_tensors(folder / "model.safetensors", part)


def clip_vision(folder: Path) -> None:
    """The tower for pictures alone, with its last layer."""
    config = clip_config(2)["vision_config"]
    write_json(
        folder / "config.json", config | {"architectures": ["CLIPVisionModelWithProjection"]}
    )
    weights = clip_weights("clip-vision", 2)
    part = {name: t for name, t in weights.items() if name.startswith("vis")}
    write_tensors(folder / "model.safetensors", part)
    write_processing(folder)


def open_clip(folder: Path) -> None:
    """CLIP as open_clip saves it, with the activation of the first weights."""
    vocabulary = write_clip_bpe(folder)
    config = {
        "model_cfg": {
            "embed_dim": OUTPUTS,
            "quick_gelu": True,
            "text_cfg": {
                "context_length": TEXT.positions,
                "vocab_size": vocabulary,
                "width": TEXT.width,
                "heads": TEXT.heads,
                "layers": TEXT.layers,
                "mlp_ratio": TEXT.inner / TEXT.width,
            },
            "vision_cfg": {
                "image_size": PICTURE.image,
                "layers": PICTURE.layers,
                "width": PICTURE.width,
                "head_width": PICTURE.width // PICTURE.heads,
                "mlp_ratio": PICTURE.inner / PICTURE.width,
                "patch_size": PICTURE.patch,
            },
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD},
    }
    write_json(folder / "open_clip_config.json", config)
    read, seen = clip_towers("open-clip", vocabulary)
    last = projections("open-clip")
    tensors = {
        **as_open_clip(read),
        **under("visual.", as_open_clip(seen)),
        "text_projection": last["text_projection.weight"].T.copy(),
        "visual.proj": last["visual_projection.weight"].T.copy(),
        "logit_scale": number(SCALE),
    }
    write_tensors(folder / "open_clip_model.safetensors", tensors)


def chinese_clip(folder: Path) -> None:
    """Chinese-CLIP: a BERT reads the texts, of which the first token counts."""
    vocabulary = write_wordpiece(folder, max_length=CHINESE.positions)
    text = bert_config(CHINESE, vocabulary) | {"model_type": "chinese_clip_text_model"}
    vision = picture_config(model_type="chinese_clip_vision_model", **ACTIVATION)
    config = {
        "architectures": ["ChineseCLIPModel"],
        "logit_scale_init_value": SCALE,
        "model_type": "chinese_clip",
        "projection_dim": OUTPUTS,
        "text_config": {key: value for key, value in text.items() if key != "architectures"},
        "vision_config": vision,
    }
    write_json(folder / "config.json", config)
    read = bert_weights("chinese-clip", CHINESE, vocabulary)
    kept = {name: tensor for name, tensor in read.items() if not name.startswith("pooler")}
    _, seen = clip_towers("chinese-clip", 2)
    towers = under("text_model.", kept) | under("vision_model.", seen)
    scale = {"logit_scale": number(SCALE)}
    write_tensors(folder / "model.safetensors", towers | projections("chinese-clip") | scale)
    size = {"height": PICTURE.image, "width": PICTURE.image}
    write_processing(folder, "ChineseCLIPImageProcessor", size=size, do_center_crop=False)


def write_filled_tokenizer(folder: Path, *more: str, **options: Any) -> int:
    """Write a tokenizer whose texts end with ``<eos>`` and are filled up with ``<pad>``.

    Args:
        folder: Where.
        more: Special tokens beside the usual ones.
        options: For ``tokenizer_config.json``.
    """
    content, vocabulary = with_byte_fallback(
        ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *more),
        before="",
        after="<eos>",
        reading={
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"String": " "},
                "behavior": "MergedWithPrevious",
                "invert": False,
            },
        },
        unknown="<unk>",
    )
    settings = {
        "add_bos_token": False,
        "add_eos_token": True,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "mask_token": "<mask>",
        "model_max_length": TEXT.positions,
        "pad_token": "<pad>",
        "padding_side": "right",
        "tokenizer_class": "GemmaTokenizer",
        "unk_token": "<unk>",
    }
    write_json(folder / "tokenizer.json", content)
    write_json(folder / "tokenizer_config.json", settings | options)
    return vocabulary


def siglip_config(vocabulary: int, **vision: Any) -> dict[str, Any]:
    """Content of ``config.json``; texts and pictures must have one width."""
    return {
        "architectures": ["SiglipModel"],
        "model_type": "siglip",
        "text_config": text_config(
            vocabulary, model_type="siglip_text_model", projection_size=PICTURE.width, **SIGLIP
        ),
        "vision_config": picture_config(model_type="siglip_vision_model", **SIGLIP) | vision,
    }


def siglip_weights(seed: str, vocabulary: int, *, flat: bool = False) -> dict[str, Tensor]:
    """Tensors of ``SiglipModel``."""
    head = Numbers(f"{seed}/text-head").linear("head", PICTURE.width, TEXT.width)
    seen = pictures(seed, own=0, bias=True, flat=flat) | attention_pool(seed)
    return (
        under("text_model.", texts(seed, vocabulary) | head)
        | under("vision_model.", seen)
        | {"logit_scale": number(4.6, 1), "logit_bias": number(-12.9, 1)}
    )


def siglip(folder: Path) -> None:
    """SigLIP: texts filled up to one length, and the filling read."""
    vocabulary = write_filled_tokenizer(folder, model_input_names=["input_ids"])
    write_json(folder / "config.json", siglip_config(vocabulary))
    write_tensors(folder / "model.safetensors", siglip_weights("siglip", vocabulary))
    half: dict[str, Any] = {
        "crop_size": ...,
        "do_center_crop": ...,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    size = {"height": PICTURE.image, "width": PICTURE.image}
    write_processing(folder, "SiglipImageProcessor", size=size, **half)


def siglip2(folder: Path) -> None:
    """SigLIP 2 with pictures of any shape: as many patches as fit; the filling is masked."""
    vocabulary = write_filled_tokenizer(folder, tokenizer_class="Siglip2Tokenizer")
    config = siglip_config(vocabulary, num_patches=PICTURE.patches)
    config |= {"architectures": ["Siglip2Model"], "model_type": "siglip2"}
    config["text_config"]["model_type"] = "siglip2_text_model"
    config["vision_config"]["model_type"] = "siglip2_vision_model"
    del config["vision_config"]["image_size"]
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", siglip_weights("siglip2", vocabulary, flat=True))
    processing = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5] * 3,
        "image_processor_type": "Siglip2ImageProcessor",
        "image_std": [0.5] * 3,
        "max_num_patches": PICTURE.patches,
        "patch_size": PICTURE.patch,
        "resample": 2,
        "rescale_factor": 1 / 255,
    }
    write_json(folder / "preprocessor_config.json", processing)


def m_clip(folder: Path) -> None:
    """M-CLIP: the mean of a multilingual encoder, mapped onto the texts of a CLIP."""
    vocabulary = write_unigram(folder, ("<s>", "<pad>", "</s>", "<unk>"))
    write_settings(folder, "XLMRobertaTokenizer")
    sizes = bert_config(OFFSET, vocabulary, "MultilingualCLIP")
    own = {"modelBase": "xlm-roberta-large", "model_type": "M-CLIP", "numDims": OUTPUTS}
    ids = {"pad_token_id": 1, "layer_norm_eps": 1e-5}
    config = sizes | ids | own | {"transformerDimensions": OFFSET.width}
    write_json(folder / "config.json", config)
    trunk = bert_weights("m-clip", OFFSET, vocabulary)
    last = Numbers("m-clip/last").linear("LinearTransformation", OUTPUTS, OFFSET.width)
    write_tensors(folder / "model.safetensors", under("transformer.", trunk) | last)


SOUND = (
    clip,
    clip_legacy,
    clip_text,
    clip_vision,
    open_clip,
    chinese_clip,
    siglip,
    siglip2,
    m_clip,
)
