"""Encode with the sentence-transformers library: padded batches, the reference numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineInfo, EngineOptions, Prepared
from stelae.engines.embedding import assemble
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.sentence_transformers.loading import load_library
from stelae.engines.sentence_transformers.tokens import LibraryTokenizer
from stelae.engines.text import Features, TextIntake
from stelae.errors import StelaeError
from stelae.types import ComputeDtype, EncodeCall, EncodeResult

Row = NDArray[np.float32]


class SentenceTransformersEngine:
    """Serves ``encode`` through the library's modules.

    Args:
        spec: The model.
        options: How to load it.
    """

    def __init__(self, spec: ModelSpec, options: EngineOptions) -> None:
        self.spec = spec
        device = device_of(options)
        dtype, note = _dtype(options, device)
        self._model = load_library(spec, dtype, device.type)
        self._intake = TextIntake(spec, LibraryTokenizer(self._model.tokenizer))
        self._steps = list(self._model)[: -1 if spec.normalized else None]
        self._info = EngineInfo(
            fingerprint=fingerprint(spec, name_of(dtype), weights_digest(spec)),
            dtype=name_of(dtype),
            device=str(device),
            notes=(note, *spec.notes),
        )

    @property
    def info(self) -> EngineInfo:
        return self._info

    def estimate(self, call: EncodeCall) -> int:
        return self._intake.estimate(call)

    def light(self, call: EncodeCall) -> bool:
        return self._intake.light(call)

    def prepare(self, call: EncodeCall) -> list[Prepared[Features]]:
        return self._intake.prepare(call)

    @torch.inference_mode()
    def run(self, batch: Sequence[Features]) -> list[Row]:
        rows: dict[int, Row] = {}
        for length in {features.prompt for features in batch}:  # the library takes one per batch
            part = [i for i, features in enumerate(batch) if features.prompt == length]
            vectors = self._embed([batch[i].ids for i in part], length)
            rows |= zip(part, vectors, strict=True)
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

    def finish(
        self,
        call: EncodeCall,
        prepared: Sequence[Prepared[Features]],
        rows: Sequence[Row | StelaeError],
    ) -> EncodeResult:
        return assemble(call, self.spec, self._info.fingerprint, prepared, rows)

    def close(self) -> None:
        self._steps.clear()
        del self._model


def load(spec: ModelSpec, options: EngineOptions) -> SentenceTransformersEngine:
    """Load a checkpoint with the library.

    Raises:
        UnsupportedCheckpoint: Weights are missing, or it needs code of its own.
        ModelLoadFailed: The library cannot read it.
    """
    return SentenceTransformersEngine(spec, options)


def _dtype(options: EngineOptions, device: torch.device) -> tuple[torch.dtype, str]:
    """As everywhere, but that ``auto`` on the CPU stays with what the library is known for."""
    if options.dtype is ComputeDtype.AUTO and device.type == Device.CPU.value:
        return torch.float32, "float32: the reference; ask for bfloat16 if you want it"
    return dtype_of(options, device)
