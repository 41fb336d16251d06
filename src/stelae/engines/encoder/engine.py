"""The encoder engine: tokenise, run packed, put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec, Pool
from stelae.engines.base import EngineInfo, EngineOptions, Prepared
from stelae.engines.embedding import assemble
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.encoder.tokenizer import FileTokenizer
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.text import Features, TextIntake
from stelae.errors import StelaeError
from stelae.types import EncodeCall, EncodeResult, OutputType

Row = NDArray[np.float32]


class EncoderEngine:
    """Serves ``encode`` from a checkpoint, on packed batches.

    Args:
        spec: The model.
        options: How to load it.
    """

    def __init__(self, spec: ModelSpec, options: EngineOptions) -> None:
        self.spec = spec
        device = device_of(options)
        dtype, note = dtype_of(options, device)
        tokenizer = FileTokenizer(Path(spec.folder, spec.tokenizer), lowercase=spec.lowercase)
        self._intake = TextIntake(spec, tokenizer)
        self._model = TextEncoder(spec, dtype, device)
        self._info = EngineInfo(
            fingerprint=fingerprint(spec, name_of(dtype), weights_digest(spec)),
            dtype=name_of(dtype),
            device=str(device),
            notes=(note, *spec.notes),
        )
        self._skips_prompts = not all(
            m.include_prompt for m in spec.chain(OutputType.DENSE) if isinstance(m, Pool)
        )
        self._warm_up(tokenizer)

    @property
    def info(self) -> EngineInfo:
        return self._info

    def estimate(self, call: EncodeCall) -> int:
        return self._intake.estimate(call)

    def light(self, call: EncodeCall) -> bool:
        return self._intake.light(call)

    def prepare(self, call: EncodeCall) -> list[Prepared[Features]]:
        return self._intake.prepare(call)

    def run(self, batch: Sequence[Features]) -> list[Row]:
        skips = [f.prompt for f in batch] if self._skips_prompts else []
        return list(self._model.embed([f.ids for f in batch], skips))

    def finish(
        self,
        call: EncodeCall,
        prepared: Sequence[Prepared[Features]],
        rows: Sequence[Row | StelaeError],
    ) -> EncodeResult:
        return assemble(call, self.spec, self._info.fingerprint, prepared, rows)

    def close(self) -> None:
        del self._model

    def _warm_up(self, tokenizer: FileTokenizer) -> None:
        """Run once, so that the first caller does not pay for what torch sets up lazily."""
        ids = np.array([*tokenizer.prefix, *tokenizer.suffix] or [0], np.int32)
        self.run([Features(ids), Features(ids)])


def load(spec: ModelSpec, options: EngineOptions) -> EncoderEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Something in it is not implemented, or does not fit.
    """
    return EncoderEngine(spec, options)
