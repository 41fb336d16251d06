"""The engine: the library's two towers, each on items of one shape, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.clap.recordings import RecordingFeatures, RecordingIntake
from stelae.engines.clap.spectra import Spectrograph
from stelae.engines.extract.upstream import load_library, part_of
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features, Output
from stelae.engines.text.tokenizer import tokenizer_of


class ClapTowers:
    """Recordings and texts to their vectors.

    Args:
        model: The library's ``ClapModel``, on its device.
        deterministic: Whether each item runs alone.
    """

    def __init__(self, model: Any, *, deterministic: bool) -> None:
        self._model, self._deterministic = model, deterministic

    @torch.inference_mode()
    def run(self, batch: Sequence[Features]) -> list[Output]:
        """The vector of each item, in order; items of one shape run together."""
        outputs = [Output() for _ in batch]
        for indices in self._alike(batch):
            vectors = self._together([batch[i] for i in indices]).float().cpu().numpy()
            for index, vector in zip(indices, vectors, strict=True):
                outputs[index].dense = vector
        for features in batch:  # only now: a batch that fails is run again in halves
            if isinstance(features, RecordingFeatures):
                features.drop()
        return outputs

    def _alike(self, batch: Sequence[Features]) -> list[list[int]]:
        groups: dict[object, list[int]] = {}
        for index, features in enumerate(batch):
            heard = isinstance(features, RecordingFeatures)
            key = (index,) if self._deterministic else (heard, len(features.ids))
            groups.setdefault(key, []).append(index)
        return list(groups.values())

    def _together(self, batch: Sequence[Features]) -> Tensor:
        """Vectors of items of one kind and length, before they are scaled to unit length."""
        model = self._model
        heard = [f.views for f in batch if isinstance(f, RecordingFeatures)]
        if heard:
            views = self._placed(np.stack(heard)).to(model.dtype)
            # A recording by itself always counts as a longer one in the library.
            longer = torch.ones(len(heard), 1, dtype=torch.bool, device=model.device)
            found = model.audio_model(input_features=views, is_longer=longer).pooler_output
            made: Tensor = model.audio_projection(found)
            return made
        ids = self._placed(np.stack([f.ids for f in batch]).astype(np.int64))
        found = model.text_model(input_ids=ids, attention_mask=torch.ones_like(ids)).pooler_output
        made = model.text_projection(found)
        return made

    def _placed(self, values: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(values).to(self._model.device)

    def close(self) -> None:
        """Free the model."""
        del self._model


def load(spec: ModelSpec, options: EngineOptions) -> TextEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights are missing.
        ModelLoadFailed: The library cannot read it.
    """
    model, info = load_library(spec, options)
    spectrograph = Spectrograph(part_of(spec).config["processor"])
    tokens = prod(model.audio_model.audio_encoder.patch_embed.grid_size)
    return TextEngine(
        spec,
        tokenizer_of(spec),
        ClapTowers(model, deterministic=options.deterministic),
        dtype=info.dtype,
        device=info.device,
        notes=info.notes[:1],
        media=RecordingIntake(spectrograph, tokens),
    )
