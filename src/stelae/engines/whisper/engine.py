"""From a checkpoint to an engine: transformers' Whisper behind the loop of windows."""

from __future__ import annotations

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.extract.upstream import load_library, part_of
from stelae.engines.listening.engine import ListenEngine, vocabulary_of
from stelae.engines.listening.vocabulary import alignment_heads
from stelae.engines.whisper.model import TorchHearer


def load(spec: ModelSpec, options: EngineOptions) -> ListenEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Weights or tokens are missing.
        ModelLoadFailed: The library cannot read it.
    """
    library, info = load_library(spec, options)
    vocabulary, config = vocabulary_of(spec), part_of(spec).config
    heads = alignment_heads(config)
    hearer = TorchHearer(library, vocabulary, spec.max_tokens, config["generation"], heads)
    return ListenEngine(spec, hearer, vocabulary, info, options)
