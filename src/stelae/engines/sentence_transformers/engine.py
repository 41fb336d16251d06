"""Encode with the sentence-transformers library: padded batches, the reference numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.sentence_transformers.loading import load_library
from stelae.engines.sentence_transformers.tokens import LibraryTokenizer
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features, Output, Row
from stelae.types import ComputeDtype


class LibraryModel:
    """Runs the library's modules up to a closing ``Normalize``.

    Args:
        model: The library's model.
        normalized: Whether it ends with one.
    """

    def __init__(self, model: SentenceTransformer, *, normalized: bool) -> None:
        self._model = model
        self._steps = list(model)[: -1 if normalized else None]

    @torch.inference_mode()
    def run(self, batch: Sequence[Features]) -> list[Output]:
        rows: dict[int, Output] = {}
        for length in {features.prompt for features in batch}:  # the library takes one per batch
            part = [i for i, features in enumerate(batch) if features.prompt == length]
            vectors = self._embed([batch[i].ids for i in part], length)
            rows |= {i: Output(dense=row) for i, row in zip(part, vectors, strict=True)}
        return [rows[i] for i in range(len(batch))]

    def _embed(self, ids: Sequence[NDArray[np.int32]], prompt_length: int) -> Row:
        lists = [row.tolist() for row in ids]
        features = dict(self._model.tokenizer.pad({"input_ids": lists}, return_tensors="pt"))
        features = {name: tensor.to(self._model.device) for name, tensor in features.items()}
        features["modality"] = "text"
        if prompt_length:
            features["prompt_length"] = prompt_length
        features = self._steps[0](features)
        features["token_embeddings"] = features["token_embeddings"].float()
        for step in self._steps[1:]:
            features = step(features)
        vectors: Row = features["sentence_embedding"].cpu().numpy()
        return vectors

    def close(self) -> None:
        self._steps.clear()
        del self._model


def load(spec: ModelSpec, options: EngineOptions) -> TextEngine:
    """Load a checkpoint with the library.

    Raises:
        UnsupportedCheckpoint: It needs code of its own.
        ModelLoadFailed: Weights are missing, or the library cannot read it.
    """
    device = device_of(options)
    dtype, note = _dtype(options, device)
    library = load_library(spec, dtype, device.type)
    return TextEngine(
        spec,
        LibraryTokenizer(library.tokenizer),
        LibraryModel(library, normalized=spec.normalized),
        dtype=name_of(dtype),
        device=str(device),
        notes=(note,),
    )


def _dtype(options: EngineOptions, device: torch.device) -> tuple[torch.dtype, str]:
    """As everywhere, but that ``auto`` on the CPU stays with what the library is known for."""
    if options.dtype is ComputeDtype.AUTO and device.type == Device.CPU.value:
        return torch.float32, "float32: the reference; ask for bfloat16 if you want it"
    return dtype_of(options, device)
