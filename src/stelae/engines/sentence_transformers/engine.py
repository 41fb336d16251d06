"""Encode with the sentence-transformers library: padded batches, the reference numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineInfo, EngineOptions, Prepared
from stelae.engines.embedding import assemble, check_call, choose_prompt, item_error
from stelae.engines.hardware import cores
from stelae.engines.sentence_transformers.loading import load_library
from stelae.engines.sentence_transformers.tokens import LibraryTokenizer, Tokens
from stelae.errors import StelaeError
from stelae.types import ComputeDtype, EncodeCall, EncodeResult, Item

Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Features:
    """One text, ready to run.

    Attributes:
        ids: Token ids, special tokens included.
        prompt: Tokens at the start that belong to a prompt.
    """

    ids: list[int]
    prompt: int = 0


class SentenceTransformersEngine:
    """Serves ``encode`` through the library's modules.

    Args:
        spec: The model.
        options: How to load it.
    """

    def __init__(self, spec: ModelSpec, options: EngineOptions) -> None:
        self.spec = spec
        device = _device(options)
        dtype, note = _dtype(options.dtype, device)
        if device == Device.CPU:
            torch.set_num_threads(options.threads or cores())
        self._model = load_library(spec, dtype, device.value)
        self._tokenizer = LibraryTokenizer(self._model.tokenizer, spec.max_tokens)
        self._steps = list(self._model)[: -1 if spec.normalized else None]
        name = str(dtype).removeprefix("torch.")
        self._info = EngineInfo(
            fingerprint=fingerprint(spec, name, weights_digest(spec)),
            dtype=name,
            device=device.value,
            notes=(note, *spec.notes),
        )

    @property
    def info(self) -> EngineInfo:
        return self._info

    def estimate(self, call: EncodeCall) -> int:
        return sum(min(self.spec.max_tokens, 2 + _size(item) // 3) for item in call.items)

    def prepare(self, call: EncodeCall) -> list[Prepared[Features]]:
        check_call(self.spec, call)
        prompt = choose_prompt(self.spec, call)
        length = self._tokenizer.prompt_length(prompt) if prompt else 0
        faults = [item_error(item, self._tokenizer.vocabulary) for item in call.items]
        whole = [item for item, fault in zip(call.items, faults, strict=True) if fault is None]
        texts = [prompt + item.text for item in whole if item.text is not None]
        made = iter(self._tokenizer.encode(texts, call.truncate))
        return [
            _prepared(fault or self._tokens(item, made, call), 0 if item.text is None else length)
            for item, fault in zip(call.items, faults, strict=True)
        ]

    def _tokens(
        self, item: Item, made: Iterator[Tokens | StelaeError], call: EncodeCall
    ) -> Tokens | StelaeError:
        if item.token_ids is not None:
            return self._tokenizer.wrap(item.token_ids, call.truncate)
        return next(made)

    @torch.inference_mode()
    def run(self, batch: Sequence[Features]) -> list[Row]:
        rows: dict[int, Row] = {}
        for length in {features.prompt for features in batch}:  # the library takes one per batch
            part = [i for i, features in enumerate(batch) if features.prompt == length]
            vectors = self._embed([batch[i].ids for i in part], length)
            rows |= zip(part, vectors, strict=True)
        return [rows[i] for i in range(len(batch))]

    def _embed(self, ids: list[list[int]], prompt_length: int) -> Row:
        features = dict(self._model.tokenizer.pad({"input_ids": ids}, return_tensors="pt"))
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


def _prepared(tokens: Tokens | StelaeError, prompt: int) -> Prepared[Features]:
    if isinstance(tokens, StelaeError):
        return Prepared(None, error=tokens)
    count = len(tokens.ids)
    return Prepared(
        Features(tokens.ids, min(prompt, count)),
        cost=max(1, count),
        tokens=count,
        truncated=tokens.truncated,
    )


def _size(item: Item) -> int:
    return len(item.text) if item.text is not None else 3 * len(item.token_ids or ())


def _device(options: EngineOptions) -> Device:
    if options.device is not None:
        return options.device
    return Device.CUDA if torch.cuda.is_available() else Device.CPU


def _dtype(wanted: ComputeDtype, device: Device) -> tuple[torch.dtype, str]:
    """The number format to compute in, and why."""
    if wanted is not ComputeDtype.AUTO:
        return getattr(torch, wanted.value), f"{wanted.value}: asked for"
    if device is Device.CUDA:
        return torch.bfloat16, "bfloat16: the device multiplies it natively"
    return torch.float32, "float32: the reference; ask for bfloat16 if you want it"
