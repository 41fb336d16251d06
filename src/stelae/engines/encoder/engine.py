"""The encoder engine: a tokenizer read by the Rust library, a model on packed tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.encoder.tokenizer import FileTokenizer
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features


def load(spec: ModelSpec, options: EngineOptions) -> TextEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Something in it is not implemented, or does not fit.
    """
    device = device_of(options)
    dtype, note = dtype_of(options, device)
    tokenizer = FileTokenizer(Path(spec.folder, spec.tokenizer), lowercase=spec.lowercase)
    model = TextEncoder(spec, dtype, device, deterministic=options.deterministic)
    _warm_up(spec, model, tokenizer)
    return TextEngine(
        spec, tokenizer, model, dtype=name_of(dtype), device=str(device), notes=(note,)
    )


def _warm_up(spec: ModelSpec, model: TextEncoder, tokenizer: FileTokenizer) -> None:
    """Run once, so that the first caller does not pay for what torch sets up lazily."""
    ids = np.array([*tokenizer.prefix, *tokenizer.suffix] or [0], np.int32)
    model.run([Features(ids, outputs=spec.outputs[:1])] * 2)
