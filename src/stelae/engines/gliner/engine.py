"""The GLiNER engine: the library's model, on windows of texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stelae.catalog.abilities import Finding
from stelae.catalog.encoders import VOCABULARIES
from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions
from stelae.engines.extract.job import ExtractJob
from stelae.engines.extract.loading import LIBRARY_ERRORS
from stelae.engines.extract.options import check_call
from stelae.engines.gliner.features import Row, Window
from stelae.engines.gliner.loading import load_library
from stelae.engines.gliner.model import NameModel
from stelae.engines.gliner.reading import NameReading, Words
from stelae.engines.runtime import device_of, faithful_dtype, name_of
from stelae.errors import ModelLoadFailed
from stelae.types import ExtractCall, Item


class NameEngine:
    """Serves ``extract``.

    Args:
        spec: The model.
        words: Reads its texts.
        model: Computes.
        info: What is loaded, and how.

    Attributes:
        takes: Options of a call that only some models take, and this one does.
    """

    def __init__(self, spec: ModelSpec, words: Words, model: NameModel, info: EngineInfo) -> None:
        self.spec, self._words, self._model, self._info = spec, words, model, info
        finds = spec.extraction.finds if spec.extraction is not None else ()
        self.takes = (
            "nested",
            "multi_label",
            *(("relations",) if Finding.RELATIONS in finds else ()),
        )

    @property
    def info(self) -> EngineInfo:
        return self._info

    def open(self, call: ExtractCall) -> ExtractJob[Window, Row]:
        check_call(self.spec, call, self.takes)
        reading = NameReading(call, self._words)
        return ExtractJob(call, reading, self.spec.name, self._info.fingerprint)

    def run(self, batch: Sequence[Window]) -> list[Row]:
        return self._model.run(batch)

    def close(self) -> None:
        self._model.close()


def load(spec: ModelSpec, options: EngineOptions) -> NameEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights are missing.
        ModelLoadFailed: The library cannot read it, or not run it in the dtype.
    """
    device = device_of(options)
    dtype, note = faithful_dtype(options)
    library = load_library(spec, dtype, device)
    info = EngineInfo(
        fingerprint=fingerprint(spec, name_of(dtype), _digest(spec, library)),
        dtype=name_of(dtype),
        device=str(device),
        notes=(note, *spec.notes),
    )
    model = NameModel(library, device, deterministic=options.deterministic)
    engine = NameEngine(spec, Words(spec, library), model, info)
    _warm_up(engine, info.dtype)
    return engine


def _digest(spec: ModelSpec, library: Any) -> str:
    """SHA-256 of the weights, and of tokenizers besides the one that the spec names."""
    weights = weights_digest(spec)
    settings = library.config  # its names of encoders are folders here
    homes = [settings.model_name, getattr(settings, "labels_encoder", None)]
    files = [_vocabulary(Path(home)) for home in homes if home is not None]
    others = [file for file in files if file != Path(spec.folder, spec.tokenizer)]
    if not others:
        return weights
    return hashlib.sha256(weights.encode() + b"".join(f.read_bytes() for f in others)).hexdigest()


def _vocabulary(home: Path) -> Path:
    return next(home / name for name in VOCABULARIES if (home / name).is_file())


def _warm_up(engine: NameEngine, dtype: str) -> None:
    """Run once, so that the first caller does not pay for what torch sets up lazily.

    Raises:
        ModelLoadFailed: The library's layers do not run in the number format.
    """
    asked = ExtractCall(
        model=engine.spec.name,
        items=[Item(text="one two three")],
        labels=("word",),
        relations=("after",) if "relations" in engine.takes else (),
        threshold=0.0,
    )
    ready = engine.open(asked).prepare(0, 1)
    try:
        engine.run([entry.features for entry in ready if entry.features is not None])
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {engine.spec.name!r}: gliner does not run it in {dtype}: {error}",
            hint="try dtype float32",
        ) from error
