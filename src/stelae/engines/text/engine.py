"""An engine for texts: a tokenizer, a model, and the jobs they do together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stelae.catalog.fingerprint import adapted_fingerprint, fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, Job
from stelae.engines.text.adapters import AdaptedJob, Library, NoAdapters
from stelae.engines.text.encode import EncodeJob
from stelae.engines.text.features import Features, Output, TextModel, Tokenizer
from stelae.engines.text.intake import Intake
from stelae.engines.text.judge import judge_job
from stelae.engines.text.media import Media
from stelae.engines.text.score import score_job
from stelae.types import EncodeCall, ExtractCall, ScoreCall

NONE = NoAdapters("the engine that serves the model runs no adapters")


class TextEngine:
    """Serves ``encode`` and ``score``, and ``extract`` by models that judge sentences.

    Args:
        spec: The model.
        tokenizer: Its tokenizer.
        model: Computes.
        dtype: Number format it computes in.
        kind: Identifies the number format and what was calibrated for it, in the fingerprint;
            ``dtype`` if not given.
        device: Where it runs.
        notes: Choices made while loading and why.
        media: Reads its pictures or recordings, if it has any.
        adapters: Its adapters.
        lanes: As of ``Wide``; 0 if the model computes one batch at a time.
        cores: Processors that the lanes share.
        spread: Sets how many threads the model uses in the calling one, if there are lanes.

    Attributes:
        lanes: As given.
        cores: As given.
    """

    def __init__(
        self,
        spec: ModelSpec,
        tokenizer: Tokenizer,
        model: TextModel,
        *,
        dtype: str,
        device: str,
        kind: str | None = None,
        notes: tuple[str, ...] = (),
        media: Media | None = None,
        adapters: Library = NONE,
        lanes: int = 0,
        cores: int = 1,
        spread: Callable[[int], None] = lambda threads: None,
    ) -> None:
        self.spec = spec
        self.lanes, self.cores = lanes, cores
        self._spread = spread
        self._intake = Intake(spec, tokenizer, media)
        self._model, self.adapters = model, adapters
        self._info = EngineInfo(
            fingerprint=fingerprint(spec, kind or dtype, weights_digest(spec)),
            dtype=dtype,
            device=device,
            notes=(*notes, *spec.notes),
        )

    @property
    def info(self) -> EngineInfo:
        return self._info

    def open(self, call: EncodeCall | ScoreCall | ExtractCall) -> Job[Features, Output, Any]:
        if isinstance(call, ExtractCall):
            return judge_job(call, self._intake, self._info.fingerprint)
        if call.lora is None:
            return self._job(call, self._info.fingerprint)
        adapter = self.adapters.take(call.lora)
        return AdaptedJob(
            self._job(call, adapted_fingerprint(self._info.fingerprint, adapter.digest)), adapter
        )

    def _job(self, call: EncodeCall | ScoreCall, fingerprint: str) -> Job[Features, Output, Any]:
        if isinstance(call, EncodeCall):
            return EncodeJob(call, self._intake, fingerprint)
        return score_job(call, self._intake, fingerprint)

    def run(self, batch: Sequence[Features]) -> Sequence[Output]:
        return self._model.run(batch)

    def spread(self, threads: int) -> None:
        self._spread(threads)

    def close(self) -> None:
        self.adapters.close()
        self._model.close()
