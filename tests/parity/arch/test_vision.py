"""Towers for texts and pictures against the reference library: tiny random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from fix_arch import agree, assert_same, backbone_of, load, prepack, reference_of, texts_of
from numpy.typing import NDArray
from torch import Tensor

from stelae.errors import UnsupportedCheckpoint
from stelae.images.preprocess import patches
from stelae.nn.backbone import backbone_class
from stelae.nn.batch import pack
from stelae.nn.patches import VisionBackbone, pack_pictures

TEXT: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
    "initializer_factor": 6.0,
}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "patch_size": 4,
    "initializer_range": 0.2,
    "initializer_factor": 6.0,
}
END = {"eos_token_id": 99, "bos_token_id": 1, "pad_token_id": 0}


def clip_text(**options: Any) -> Any:
    return transformers.CLIPTextConfig(**TEXT | END | {"projection_dim": 24} | options)


def clip_vision(**options: Any) -> Any:
    return transformers.CLIPVisionConfig(
        **VISION | {"image_size": 16, "projection_dim": 24} | options
    )


def siglip_text(**options: Any) -> Any:
    return transformers.SiglipTextConfig(**TEXT | END | options)


def siglip_vision(**options: Any) -> Any:
    return transformers.SiglipVisionConfig(**VISION | {"image_size": 17} | options)


def siglip2_vision(**options: Any) -> Any:
    return transformers.Siglip2VisionConfig(**VISION | {"num_patches": 9} | options)


TEXTS = {
    "clip": ("CLIPTextModel", clip_text()),
    "clip with gelu": ("CLIPTextModel", clip_text(hidden_act="gelu", layer_norm_eps=1e-3)),
    "clip with a projection": ("CLIPTextModelWithProjection", clip_text()),
    "siglip": ("SiglipTextModel", siglip_text()),
    "siglip with a narrow head": ("SiglipTextModel", siglip_text(projection_size=20)),
    "siglip 2": ("Siglip2TextModel", transformers.Siglip2TextConfig(**TEXT | END)),
}
PICTURES = {
    "clip": ("CLIPVisionModel", clip_vision()),
    "clip with gelu": ("CLIPVisionModel", clip_vision(hidden_act="gelu", layer_norm_eps=1e-3)),
    "clip, patches that do not fill the picture": ("CLIPVisionModel", clip_vision(image_size=15)),
    "clip with a projection": ("CLIPVisionModelWithProjection", clip_vision()),
    "chinese clip": (
        "ChineseCLIPVisionModel",
        transformers.ChineseCLIPVisionConfig(**VISION | {"image_size": 16}),
    ),
    "siglip": ("SiglipVisionModel", siglip_vision()),
    "siglip with relu": ("SiglipVisionModel", siglip_vision(hidden_act="relu")),
}


@pytest.mark.parametrize("case", TEXTS)
def test_token_vectors_of_texts_equal_the_reference(case: str) -> None:
    name, config = TEXTS[case]
    agree(name, config, getattr(transformers, name))


def pooler_of(name: str, ours: Any, tensors: Mapping[str, Tensor]) -> torch.nn.Module:
    head: torch.nn.Module = ours.pooler()
    load(head, backbone_class(name).pooler_weights, dict(tensors))
    return head.eval()


def ended(texts: Sequence[NDArray[np.int32]], end: int) -> list[NDArray[np.int32]]:
    """The texts with a token at the end, in one also before it."""
    whole = [np.append(ids, end).astype(np.int32) for ids in texts]
    whole[1][4] = end
    return whole


@pytest.mark.parametrize("end", [99, 2, 60])
def test_the_end_of_a_clip_text_is_found_as_in_the_reference(end: int) -> None:
    config = clip_text(eos_token_id=end)
    theirs = reference_of(transformers.CLIPTextModel, config)
    ours = backbone_of("CLIPTextModel", config.to_dict(), theirs.state_dict())
    head = pooler_of("CLIPTextModel", ours, theirs.state_dict())
    texts = ended(texts_of((3, 17, 3, 39, 1, 2), vocabulary=60), end)
    batch = pack(texts)
    with torch.inference_mode():
        expected = [
            theirs(input_ids=torch.from_numpy(ids).long()[None]).pooler_output[0] for ids in texts
        ]
        found = head(ours(batch), batch)
    assert_same(list(found), [expected[i] for i in batch.order])


@pytest.mark.parametrize("case", ["siglip", "siglip with a narrow head", "siglip 2"])
def test_the_last_token_of_a_siglip_text_is_pooled_as_in_the_reference(case: str) -> None:
    name, config = TEXTS[case]
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict())
    head = pooler_of(name, ours, theirs.state_dict())
    texts = texts_of((40, 40, 40))
    batch = pack(texts)
    with torch.inference_mode():
        expected = theirs(input_ids=torch.from_numpy(np.stack(texts)).long()).pooler_output
        assert_same(list(head(ours(batch), batch)), list(expected))


def pictures_of(size: int, count: int = 3) -> NDArray[np.float32]:
    shape = (count, size, size, 3)
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("case", PICTURES)
@pytest.mark.parametrize("packed", [False, True])
def test_pictures_equal_the_reference(case: str, packed: bool) -> None:
    name, config = PICTURES[case]
    theirs = reference_of(getattr(transformers, name), config)
    tensors = theirs.state_dict()
    ours = backbone_of(name, config.to_dict(), tensors)
    assert isinstance(ours, VisionBackbone)
    assert ours.grid == (config.image_size // 4, config.image_size // 4)
    head = pooler_of(name, ours, tensors)
    if packed:
        prepack(ours)
        prepack(head)
    pictures = pictures_of(config.image_size)
    batch = pack_pictures([patches(p, 4) for p in pictures], [ours.grid] * 3, ours.own)
    tower = theirs.vision_model if name.endswith("WithProjection") else theirs
    with torch.inference_mode():
        expected = tower(pixel_values=torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()))
        states = ours(batch)
        assert_same(list(states.view(3, -1, 32)), list(expected.last_hidden_state))
        assert_same(list(head(states, batch)), list(expected.pooler_output))


@pytest.mark.parametrize("case", PICTURES)
def test_pictures_in_bfloat16_point_the_same_way(case: str) -> None:
    name, config = PICTURES[case]
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict()).to(torch.bfloat16)
    assert isinstance(ours, VisionBackbone)
    assert ours.grid is not None
    head = pooler_of(name, ours, theirs.state_dict()).to(torch.bfloat16)
    pictures = pictures_of(config.image_size)
    batch = pack_pictures([patches(p, 4) for p in pictures], [ours.grid] * 3, ours.own)
    tower = theirs.vision_model if name.endswith("WithProjection") else theirs
    with torch.inference_mode():
        expected = tower(pixel_values=torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()))
        found = head(ours(batch), batch).float()
    assert torch.cosine_similarity(found, expected.pooler_output).min() >= 0.999


def test_pictures_of_any_shape_equal_the_reference_that_pads_them() -> None:
    config = siglip2_vision()
    theirs = reference_of(transformers.Siglip2VisionModel, config)
    ours = backbone_of("Siglip2VisionModel", config.to_dict(), theirs.state_dict())
    assert isinstance(ours, VisionBackbone)
    head = pooler_of("Siglip2VisionModel", ours, theirs.state_dict())
    grids = [(3, 3), (1, 9), (2, 2), (1, 1), (2, 4), (3, 3), (5, 1)]
    rng = np.random.default_rng(3)
    pictures = [rng.normal(size=(h * w, 48)).astype(np.float32) for h, w in grids]
    batch = pack_pictures(pictures, grids, ours.own)
    with torch.inference_mode():
        found = head(ours(batch), batch)
        expected = [
            _padded(theirs, picture, grid) for picture, grid in zip(pictures, grids, strict=True)
        ]
    assert_same(list(found), [expected[i] for i in batch.order])


def _padded(theirs: Any, picture: NDArray[np.float32], grid: tuple[int, int]) -> Tensor:
    values = np.zeros((1, 9, 48), np.float32)
    values[0, : len(picture)] = picture
    mask = torch.arange(9)[None] < len(picture)
    answer = theirs(
        pixel_values=torch.from_numpy(values),
        pixel_attention_mask=mask.int(),
        spatial_shapes=torch.tensor([grid]),
    )
    pooled: Tensor = answer.pooler_output[0]
    return pooled


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("CLIPVisionModel", {"num_channels": 1}, "num_channels=1"),
        ("CLIPVisionModel", {"hidden_act": "mish"}, "hidden_act='mish'"),
        ("CLIPTextModel", {"num_attention_heads": 5}, "num_attention_heads=5"),
        ("SiglipVisionModel", {"vision_use_head": False}, "vision_use_head=False"),
        ("Siglip2VisionModel", {"num_patches": 10}, "num_patches=10"),
    ],
)
def test_options_that_are_not_implemented_are_refused_by_name(
    name: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=said):
        backbone_class(name).from_config(options)


def test_a_tower_for_pictures_refuses_texts() -> None:
    ours = backbone_class("CLIPVisionModel").from_config(clip_vision().to_dict())
    with pytest.raises(TypeError, match="given texts"):
        ours(pack(texts_of()))


def as_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tower under the names that open_clip saves, fused where it fuses."""
    names = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "embeddings.class_embedding": "class_embedding",
        "embeddings.patch_embedding.weight": "conv1.weight",
    }
    parts = {
        "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj",
        "encoder.layers": "transformer.resblocks", "final_layer_norm": "ln_final",
        "pre_layrnorm": "ln_pre", "post_layernorm": "ln_post",
    }  # fmt: skip
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = names.get(name, name)
        for theirs, open_clip in parts.items():
            new = new.replace(theirs, open_clip)
        if ".q_proj." in new:
            fused = torch.cat([tensors[name.replace("q_proj", f"{p}_proj")] for p in "qkv"])
            found[new.replace("self_attn.q_proj.", "attn.in_proj_")] = fused
        elif ".k_proj." not in new and ".v_proj." not in new:
            found[new] = tensor
    return found


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_a_text_tower_saved_by_open_clip_is_the_same_tower(activation: str) -> None:
    config = clip_text(hidden_act=activation)
    tensors = reference_of(transformers.CLIPTextModel, config).state_dict()
    one = backbone_of("CLIPTextModel", config.to_dict(), tensors)
    saved = as_open_clip(tensors)
    assert saved.keys().isdisjoint(tensors)
    extra = {
        "text_projection": torch.zeros(32, 24),
        "logit_scale": torch.zeros(()),
        "visual.proj": torch.zeros(32, 24),
    }
    other = backbone_of("CLIPTextModel", config.to_dict(), saved | extra)
    batch = pack(texts_of())
    assert torch.equal(one(batch), other(batch))


def test_a_vision_tower_saved_by_open_clip_is_the_same_tower() -> None:
    config = clip_vision()
    tensors = reference_of(transformers.CLIPVisionModel, config).state_dict()
    saved = {f"visual.{name}": t for name, t in as_open_clip(tensors).items()}
    saved["visual.proj"] = torch.zeros(32, 24)
    one = backbone_of("CLIPVisionModel", config.to_dict(), tensors)
    other = backbone_of("CLIPVisionModel", config.to_dict(), saved)
    batch = pack_pictures([patches(p, 4) for p in pictures_of(16)], [(4, 4)] * 3, 1)
    first, second = (
        pooler_of("CLIPVisionModel", tower, weights)(tower(batch), batch)
        for tower, weights in ((one, tensors), (other, saved))
    )
    assert torch.equal(first, second)
