"""The transformers engine: the library's model, on items of equal length, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features, Output
from stelae.engines.transformers.pages import (
    LIBRARY_ERRORS,
    PageFeatures,
    PageIntake,
    QuestionTokenizer,
    processor_of,
)
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

Key = tuple[Any, ...]


class PageModel:
    """Texts and pages to a vector per token.

    Args:
        spec: The model.
        dtype: Number format to compute in.
        device: Where to run.
        deterministic: Whether each item runs alone.
    """

    def __init__(
        self, spec: ModelSpec, dtype: torch.dtype, device: torch.device, *, deterministic: bool
    ) -> None:
        self._device, self._deterministic = device, deterministic
        self._model = load_library(spec, dtype).to(device)

    @torch.inference_mode()
    def run(self, batch: Sequence[Features]) -> list[Output]:
        """The vectors of each item, in order; items of one shape run together."""
        outputs = [Output() for _ in batch]
        for indices in self._alike(batch):
            made = self._together([batch[i] for i in indices])
            for index, vectors in zip(indices, made, strict=True):
                outputs[index].vectors = vectors
        return outputs

    def _alike(self, batch: Sequence[Features]) -> list[list[int]]:
        groups: dict[Key, list[int]] = {}
        for index, features in enumerate(batch):
            key: Key = (index,) if self._deterministic else _shape(features)
            groups.setdefault(key, []).append(index)
        return list(groups.values())

    def _together(self, batch: Sequence[Features]) -> list[np.ndarray[Any, Any]]:
        ids = torch.from_numpy(np.stack([f.ids for f in batch]).astype(np.int64))
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        pages = [f.extra for f in batch if isinstance(f, PageFeatures)]
        for name in pages[0] if pages else ():
            inputs[name] = torch.cat([page[name] for page in pages])
        there = {name: tensor.to(self._device) for name, tensor in inputs.items()}
        vectors = self._model(**there).embeddings.float().cpu().numpy()
        return list(vectors)

    def close(self) -> None:
        """Free the model."""
        del self._model


def _shape(features: Features) -> Key:
    extra = features.extra if isinstance(features, PageFeatures) else {}
    return (len(features.ids), *((name, tuple(t.shape)) for name, t in extra.items()))


def load_library(spec: ModelSpec, dtype: torch.dtype) -> Any:
    """The library's model; no number is made up, no code of the checkpoint is run.

    Raises:
        UnsupportedCheckpoint: Weights are missing.
        ModelLoadFailed: The library cannot read the checkpoint.
    """
    part = spec.backbone
    if not isinstance(part, Backbone):
        raise ModelLoadFailed(f"model {spec.name!r} is a table, no model of pages")
    kind = getattr(transformers, part.architecture)
    try:
        model, report = kind.from_pretrained(
            Path(spec.folder, part.folder),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: transformers cannot load {spec.folder}: {error}"
        ) from error
    if report["missing_keys"]:
        raise UnsupportedCheckpoint(
            f"weights do not fit the architecture: {sorted(report['missing_keys'])[:5]} are missing"
        )
    return model.eval()


def load(spec: ModelSpec, options: EngineOptions) -> TextEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights are missing.
        ModelLoadFailed: The library cannot read it.
    """
    device = device_of(options)
    dtype, note = dtype_of(options, device)
    processor = processor_of(spec)
    model = PageModel(spec, dtype, device, deterministic=options.deterministic)
    return TextEngine(
        spec,
        QuestionTokenizer(processor),
        model,
        dtype=name_of(dtype),
        device=str(device),
        notes=(note,),
        media=PageIntake(processor),
    )
