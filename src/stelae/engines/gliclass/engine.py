"""The GLiClass engine: the library's model, on windows of texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.gliclass import LABELS
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions
from stelae.engines.extract.classes import Logits
from stelae.engines.extract.job import ExtractJob
from stelae.engines.extract.options import check_call
from stelae.engines.gliclass.loading import load_library
from stelae.engines.gliclass.model import ClassModel
from stelae.engines.gliclass.reading import ClassReading, Tokens, Window
from stelae.engines.runtime import device_of, faithful_dtype, name_of
from stelae.types import ExtractCall


class ClassEngine:
    """Serves ``extract``.

    Args:
        spec: The model.
        tokens: Reads its texts.
        model: Computes.
        info: What is loaded, and how.
    """

    def __init__(self, spec: ModelSpec, tokens: Tokens, model: ClassModel, info: EngineInfo):
        self.spec, self._tokens, self._model, self._info = spec, tokens, model, info

    @property
    def info(self) -> EngineInfo:
        return self._info

    def open(self, call: ExtractCall) -> ExtractJob[Window, Logits]:
        check_call(self.spec, call, ("multi_label",))
        reading = ClassReading(call, self._tokens)
        return ExtractJob(call, reading, self.spec.name, self._info.fingerprint)

    def run(self, batch: Sequence[Window]) -> list[Logits]:
        return self._model.run(batch)

    def close(self) -> None:
        self._model.close()


def load(spec: ModelSpec, options: EngineOptions) -> ClassEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights are missing.
        ModelLoadFailed: The library cannot read it.
    """
    device = device_of(options)
    dtype, note = faithful_dtype(options)
    library, tokenizers = load_library(spec, dtype, device)
    info = EngineInfo(
        fingerprint=fingerprint(spec, name_of(dtype), _digest(spec)),
        dtype=name_of(dtype),
        device=str(device),
        notes=(note, *spec.notes),
    )
    model = ClassModel(library, device, deterministic=options.deterministic)
    return ClassEngine(spec, Tokens(spec, library.config, tokenizers), model, info)


def _digest(spec: ModelSpec) -> str:
    """SHA-256 of the weights, and of the tokenizer of labels if that is another."""
    file = Path(spec.folder, LABELS, "tokenizer.json")
    weights = weights_digest(spec)
    if not file.is_file():
        return weights
    return hashlib.sha256(weights.encode() + file.read_bytes()).hexdigest()
