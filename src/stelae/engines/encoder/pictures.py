"""A checkpoint's tower for pictures, alone or beside the one for texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from stelae.catalog.spec import Chain, ModelSpec, Vision
from stelae.engines.encoder.heads import build_head
from stelae.engines.encoder.model import TextEncoder, load_backbone
from stelae.engines.text.features import Features, Output
from stelae.engines.text.pictures import PictureFeatures, PictureIntake
from stelae.errors import UnsupportedCheckpoint
from stelae.images.scaling import scaling
from stelae.nn.layers.linear import prepack
from stelae.nn.patches import PatchBatch, VisionBackbone, pack_pictures
from stelae.nn.stored import read
from stelae.types import OutputType


class PictureEncoder(nn.Module):
    """Pixels to vectors, exactly as the checkpoint says.

    Args:
        spec: The model.
        vision: How it reads pictures.
        dtype: Number format of the tower.
        device: Where to run.
        deterministic: Whether each picture runs alone.
    """

    def __init__(
        self,
        spec: ModelSpec,
        vision: Vision,
        dtype: torch.dtype,
        device: torch.device,
        *,
        deterministic: bool = False,
    ) -> None:
        super().__init__()
        self.device, self.deterministic = device, deterministic
        part = vision.backbone
        tensors = read(Path(spec.folder, part.folder, name) for name in part.weights)
        tower = load_backbone(part, tensors, torch.float32)
        if not isinstance(tower, VisionBackbone):
            raise UnsupportedCheckpoint(f"{part.architecture} does not read pictures")
        tower.read_bytes(*scaling(vision.processing))
        self.tower = tower.to(dtype)  # only now: scaled numbers are rounded once
        chain = Chain(output=OutputType.DENSE, steps=vision.steps)
        self.head = build_head(spec, chain, tower, tensors)
        self.intake = PictureIntake(vision, tower.side, tower.own)
        self.to(device)
        prepack(self)
        self.eval()

    @torch.inference_mode()
    def run(self, batch: Sequence[PictureFeatures]) -> list[Output]:
        """The vector of each picture, in order."""
        if self.deterministic and len(batch) > 1:
            return [output for picture in batch for output in self.run([picture])]
        packed = self._pack(batch)
        outputs = [Output() for _ in batch]
        self.head.put(self.head([self.tower(packed)], packed, ()), packed, outputs)
        return outputs

    def _pack(self, batch: Sequence[PictureFeatures]) -> PatchBatch:
        return pack_pictures(
            [f.patches for f in batch], [f.grid for f in batch], self.tower.own, self.device
        )


class Towers:
    """Runs texts and pictures of one batch, each in their own tower.

    Args:
        texts: The tower for texts, if there is one.
        pictures: The tower for pictures.
    """

    def __init__(self, texts: TextEncoder | None, pictures: PictureEncoder) -> None:
        self._texts, self._pictures = texts, pictures

    def run(self, batch: Sequence[Features]) -> list[Output]:
        """What is wanted of each entry, in order."""
        pictures = [f for f in batch if isinstance(f, PictureFeatures)]
        texts = [f for f in batch if not isinstance(f, PictureFeatures)]
        seen = iter(self._pictures.run(pictures) if pictures else [])
        read = iter(self._texts.run(texts) if texts and self._texts is not None else [])
        rows = [next(seen if isinstance(f, PictureFeatures) else read) for f in batch]
        for features in pictures:  # only now: a batch that fails is run again in halves
            features.drop()
        return rows

    def close(self) -> None:
        """Free both towers."""
        if self._texts is not None:
            self._texts.close()
        del self._pictures.tower, self._pictures.head
