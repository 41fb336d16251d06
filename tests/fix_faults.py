"""A model that fails as it is told: its texts say how."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import Device, EngineManifest, EngineOptions, WeightFormat
from stelae.engines.fake.engine import FakeEngine
from stelae.errors import BY_CODE
from stelae.types import EncodeCall, ExtractCall, ScoreCall, Task

FAULTY = {"source": "embedded", "engine": "faulty"}
"""Settings of the model."""


class FaultyEngine(FakeEngine):
    """Fails calls whose first text is ``!raise CODE [SECONDS] [TIMES] [NAME]``.

    The error of that code is raised with ``SECONDS`` as its hint (``-`` for none), the first
    ``TIMES`` times that ``NAME`` comes; for ever if no count is given.
    """

    def __init__(self, dimensions: int, max_tokens: int) -> None:
        super().__init__(dimensions, max_tokens)
        self._seen: Counter[str] = Counter()

    def open(self, call: Any) -> Any:
        text = _first(call) or ""
        if text.startswith("!raise "):
            code, seconds, times, name = [*text.split()[1:], "-", "-", ""][:4]
            self._seen[name] += 1
            if times == "-" or self._seen[name] <= int(times):
                hint = None if seconds == "-" else float(seconds)
                raise BY_CODE[code](f"told to fail with {code}", retry_after=hint)
        return super().open(call)


def _first(call: EncodeCall | ScoreCall | ExtractCall) -> str | None:
    return call.query.text if isinstance(call, ScoreCall) else call.items[0].text


def load(spec: ModelSpec, options: EngineOptions) -> FaultyEngine:
    """Load the model."""
    del options
    return FaultyEngine(spec.dimensions, spec.max_tokens)


MANIFEST = EngineManifest(
    name="faulty",
    tasks=frozenset({Task.ENCODE, Task.SCORE, Task.EXTRACT}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CPU}),
    load="fix_faults:load",
)


def install(patch: pytest.MonkeyPatch) -> None:
    """Make the engine known for the time of a test."""
    patch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, MANIFEST))
