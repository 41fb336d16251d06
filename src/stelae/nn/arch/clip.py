"""CLIP: a causal tower for texts and one for pictures, pre-norm.

Source: Radford et al. 2021 (arXiv:2103.00020).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec
import torch
from torch import Tensor, nn

from stelae.nn.backbone import activation_of, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Count, Epsilon, Layers, Width
from stelae.nn.heads.tower import EndToken, FirstToken
from stelae.nn.layers.attention import CAUSAL
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Linear
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.tower import NAMES, OPEN_CLIP_NAMES, QKV, Sizes, TowerLayer
from stelae.nn.patches import VisionBackbone, patches_of
from stelae.nn.tower import TextTower
from stelae.nn.weights import WeightMap, flat_patches

LARGEST = 2
"""``eos_token_id`` of the first checkpoints, which is wrong: the largest id ends a text."""


class ClipTextConfig(msgspec.Struct):
    """The part of ``config.json`` that decides the numbers, with the library's defaults."""

    vocab_size: Count = 49408
    hidden_size: Width = 512
    intermediate_size: Width = 2048
    num_hidden_layers: Layers = 12
    num_attention_heads: Width = 8
    max_position_embeddings: Count = 77
    hidden_act: str = "quick_gelu"
    layer_norm_eps: Epsilon = 1e-5
    eos_token_id: int = 49407


class ClipVisionConfig(msgspec.Struct):
    """The part of ``config.json`` that decides the numbers, with the library's defaults."""

    hidden_size: Width = 768
    intermediate_size: Width = 3072
    num_hidden_layers: Layers = 12
    num_attention_heads: Width = 12
    num_channels: Width = 3
    image_size: Width = 224
    patch_size: Width = 32
    hidden_act: str = "quick_gelu"
    layer_norm_eps: Epsilon = 1e-5


@architecture("CLIPTextModel", "CLIPTextModelWithProjection")
class ClipText(TextTower):
    """Reads a text from left to right; the token that ends it stands for all."""

    Config: ClassVar = ClipTextConfig
    weights = WeightMap(
        prefixes=("text_model.", "text."),
        rename={
            **NAMES,
            **OPEN_CLIP_NAMES,
            r"^(embeddings\.)?token_embedding\.": "words.",
            r"^embeddings\.position_embedding\.": "positions.",
            r"^positional_embedding$": "positions.weight",
            r"^(final_layer_norm|ln_final)\.": "norm.",
        },
        fuse=QKV,
        ignore=(
            r"(embeddings\.)?position_ids", r"text_projection(\.weight)?", r"logit_(scale|bias)",
            r"visual\..*",
        ),
    )  # fmt: skip

    def __init__(self, config: ClipTextConfig) -> None:
        sizes = Sizes(
            width=config.hidden_size,
            heads=config.num_attention_heads,
            inner=config.intermediate_size,
            activation=activation_of(config.hidden_act),
            eps=config.layer_norm_eps,
            span=CAUSAL,
        )
        super().__init__(config, sizes)
        self.end = config.eos_token_id

    def pooler(self) -> nn.Module:
        """The vector of the token that ends a text."""
        return EndToken(None if self.end == LARGEST else self.end)


@architecture("CLIPVisionModel", "CLIPVisionModelWithProjection", "ChineseCLIPVisionModel")
class ClipVision(VisionBackbone):
    """Reads a picture as patches after a token of its own, which stands for all."""

    Config: ClassVar = ClipVisionConfig
    own: ClassVar = 1
    weights = WeightMap(
        prefixes=("vision_model.", "visual."),
        rename={
            **NAMES,
            **OPEN_CLIP_NAMES,
            r"^(embeddings\.)?class_embedding$": "first",
            r"^embeddings\.patch_embedding\.": "patch.",
            r"^conv1\.": "patch.",
            r"^embeddings\.position_embedding\.": "positions.",
            r"^positional_embedding$": "positions.weight",
            r"^(pre_layrnorm|ln_pre)\.": "norm.",
        },
        fuse=QKV,
        change={r"patch\.weight": flat_patches},
        ignore=(
            r"(embeddings\.)?position_ids", r"(post_layernorm|ln_post)\..*", "proj",
            r"visual_projection\.weight",
        ),
    )  # fmt: skip
    pooler_weights = WeightMap(
        prefixes=("vision_model.", "visual."),
        rename={r"^(post_layernorm|ln_post)\.": "norm."},
        only=(r"norm\..*",),
    )

    def __init__(self, config: ClipVisionConfig) -> None:
        super().__init__(config)
        require(config.num_channels == 3, "num_channels", config.num_channels, "3")
        self.sizes = Sizes(
            width=config.hidden_size,
            heads=config.num_attention_heads,
            inner=config.intermediate_size,
            activation=activation_of(config.hidden_act),
            eps=config.layer_norm_eps,
        )
        self.width, self.side = config.hidden_size, config.patch_size
        rows = config.image_size // self.side
        self.grid = (rows, rows)
        self.first = nn.Parameter(torch.empty(self.width), requires_grad=False)
        self.patch = Linear(3 * self.side**2, self.width, bias=False)
        self.positions = Embedding(rows**2 + self.own, self.width)
        self.norm = LayerNorm(self.width, config.layer_norm_eps)
        self.layers = nn.ModuleList(TowerLayer(self.sizes) for _ in range(config.num_hidden_layers))

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each layer, each ``(T, H)``."""
        patches = self.patch(patches_of(batch).patches.to(self.first.dtype))
        pictures = patches.view(batch.size, -1, self.width)
        first = self.first.expand(batch.size, 1, -1)
        tokens = torch.cat([first, pictures], dim=1) + self.positions.weight
        x: Tensor = self.norm(tokens.view(-1, self.width))
        yield x
        for layer in self.layers:
            x = layer(x, batch)
            yield x

    def pooler(self) -> nn.Module:
        """The normalised vector of the picture's first token."""
        return FirstToken(self.width, self.sizes.eps)
