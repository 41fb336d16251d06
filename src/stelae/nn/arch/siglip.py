"""SigLIP and SigLIP 2: both towers see everything; a learned vector pools a picture.

Texts are filled up to a fixed length, and the filling is read like any other token.

Source: Zhai et al. 2023 (arXiv:2303.15343); Tschannen et al. 2025 (arXiv:2502.14786).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from stelae.nn.backbone import activation_of, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Count, Epsilon, Layers, Width
from stelae.nn.heads.tower import AttentionPool, LastToken
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Linear
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.tower import NAMES, QKV, Sizes, TowerLayer
from stelae.nn.patches import Grid, PatchBatch, VisionBackbone, patches_of
from stelae.nn.tower import TextTower
from stelae.nn.weights import WeightMap, flat_patches


class TowerConfig(msgspec.Struct):
    """What both towers state, with the library's defaults."""

    hidden_size: Width = 768
    intermediate_size: Width = 3072
    num_hidden_layers: Layers = 12
    num_attention_heads: Width = 12
    hidden_act: str = "gelu_pytorch_tanh"
    layer_norm_eps: Epsilon = 1e-6

    def sizes(self) -> Sizes:
        """The same for our layers."""
        return Sizes(
            width=self.hidden_size,
            heads=self.num_attention_heads,
            inner=self.intermediate_size,
            activation=activation_of(self.hidden_act),
            eps=self.layer_norm_eps,
        )


class SiglipTextConfig(TowerConfig):
    """The part of ``config.json`` that decides the numbers."""

    vocab_size: Count = 32000
    max_position_embeddings: Count = 64
    projection_size: Width | None = None


class SiglipVisionConfig(TowerConfig):
    """The part of ``config.json`` that decides the numbers."""

    num_channels: Width = 3
    image_size: Width = 224
    patch_size: Width = 16
    vision_use_head: bool = True


class Siglip2VisionConfig(TowerConfig):
    """The part of ``config.json`` that decides the numbers."""

    num_channels: Width = 3
    num_patches: Count = 256
    patch_size: Width = 16
    vision_use_head: bool = True


@architecture("SiglipTextModel", "Siglip2TextModel")
class SiglipText(TextTower):
    """Every token sees every other; the last one stands for all."""

    Config: ClassVar = SiglipTextConfig
    weights = WeightMap(
        prefixes=("text_model.",),
        rename={
            **NAMES,
            r"^embeddings\.token_embedding\.": "words.",
            r"^embeddings\.position_embedding\.": "positions.",
            r"^final_layer_norm\.": "norm.",
        },
        fuse=QKV,
        ignore=(r"embeddings\.position_ids", r"head\..*"),
    )
    pooler_weights = WeightMap(prefixes=("text_model.",), only=(r"head\..*",))

    def __init__(self, config: SiglipTextConfig) -> None:
        super().__init__(config, config.sizes())
        self.outputs = config.projection_size or config.hidden_size

    def pooler(self) -> nn.Module:
        """A linear layer on the last token, be it filling or not."""
        return LastToken(self.width, self.outputs)


class SiglipTower(VisionBackbone):
    """What both generations of the tower for pictures share."""

    weights = WeightMap(
        prefixes=("vision_model.",),
        rename={
            **NAMES,
            r"^embeddings\.patch_embedding\.": "patch.",
            r"^embeddings\.position_embedding\.": "positions.",
            r"^post_layernorm\.": "norm.",
        },
        fuse=QKV,
        change={r"patch\.weight": flat_patches},
        ignore=(r"embeddings\.position_ids", r"head\..*"),
    )
    pooler_weights = WeightMap(
        prefixes=("vision_model.",),
        rename={
            **NAMES,
            r"^head\.": "",
            r"^attention\.in_proj_": "qkv.",
            r"^attention\.out_proj\.": "out.",
            r"^layernorm\.": "norm.",
        },
        only=(r"(probe|qkv\..*|out\..*|norm\..*|mlp\..*)",),
    )

    def __init__(self, config: SiglipVisionConfig | Siglip2VisionConfig, places: int) -> None:
        super().__init__(config)
        require(config.num_channels == 3, "num_channels", config.num_channels, "3")
        require(config.vision_use_head, "vision_use_head", config.vision_use_head, "true")
        self.width, self.side, self.sizes = config.hidden_size, config.patch_size, config.sizes()
        self.patch = Linear(3 * self.side**2, self.width)
        self.positions = Embedding(places, self.width)
        self.layers = nn.ModuleList(TowerLayer(self.sizes) for _ in range(config.num_hidden_layers))
        self.norm = LayerNorm(self.width, config.layer_norm_eps)

    def places(self, batch: PatchBatch) -> Tensor:
        """Vector of each patch's place, shape ``(T, H)``."""
        y: Tensor = self.positions(batch.positions)
        return y

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each layer, each ``(T, H)``."""
        pictures = patches_of(batch)
        x: Tensor = self.patch(pictures.patches.to(self.norm.weight.dtype)) + self.places(pictures)
        for layer in self.layers:
            yield x
            x = layer(x, batch)
        yield self.norm(x)

    def pooler(self) -> nn.Module:
        """A learned vector that looks at all patches."""
        return AttentionPool(self.sizes)


@architecture("SiglipVisionModel")
class SiglipVision(SiglipTower):
    """Reads pictures of one size."""

    Config: ClassVar = SiglipVisionConfig

    def __init__(self, config: SiglipVisionConfig) -> None:
        rows = config.image_size // config.patch_size
        super().__init__(config, rows**2)
        self.grid = (rows, rows)


@architecture("Siglip2VisionModel")
class Siglip2Vision(SiglipTower):
    """Reads pictures of any shape: the table of places is stretched over each."""

    Config: ClassVar = Siglip2VisionConfig

    def __init__(self, config: Siglip2VisionConfig) -> None:
        super().__init__(config, config.num_patches)
        self.grid = None
        side = int(config.num_patches**0.5)
        require(side**2 == config.num_patches, "num_patches", config.num_patches, "squares")
        self.table = (side, side)

    def places(self, batch: PatchBatch) -> Tensor:
        """Vector of each patch's place, shape ``(T, H)``."""
        stretched = {grid: self._stretched(grid) for grid in dict.fromkeys(batch.grids)}
        return torch.cat([stretched[grid] for grid in batch.grids])

    def _stretched(self, grid: Grid) -> Tensor:
        weight = self.positions.weight
        table = weight.float().T.view(1, self.width, *self.table)
        places = functional.interpolate(
            table, size=grid, mode="bilinear", align_corners=False, antialias=True
        )
        return places.view(self.width, -1).T.to(weight.dtype)
