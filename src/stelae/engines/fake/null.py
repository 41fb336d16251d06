"""An engine that does nothing, to measure all that is around models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, Prepared
from stelae.errors import InvalidInput
from stelae.types import EncodeCall, EncodeResult, OutputType, Usage
from stelae.vectors.quantize import quantize

Row = NDArray[np.float32]

_ITEM: Prepared[int] = Prepared(0, cost=1, tokens=1)
"""Every item is this one: nothing looks at what it holds."""


class NullEngine:
    """Answers every item with the same vector, through the same threads as a model's.

    Args:
        dimensions: Width of the vector, whose numbers are all 1.
    """

    def __init__(self, dimensions: int) -> None:
        self._row: Row = np.ones(dimensions, np.float32)

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(fingerprint="null", dtype="float32", device="cpu")

    def open(self, call: EncodeCall) -> NullJob:
        if call.kinds != (OutputType.DENSE,):
            raise InvalidInput("the null engine makes dense vectors only", param="outputs")
        return NullJob(call, self._row)

    def run(self, batch: Sequence[int]) -> list[Row]:
        return [self._row] * len(batch)

    def close(self) -> None:
        pass


class NullJob:
    """Items to one vector each."""

    light = True

    def __init__(self, call: EncodeCall, row: Row) -> None:
        self._call, self._row = call, row

    @property
    def size(self) -> int:
        return len(self._call.items)

    @property
    def estimate(self) -> int:
        return self.size

    def prepare(self, start: int, stop: int) -> list[Prepared[int]]:
        return [_ITEM] * (stop - start)

    def finish(self, prepared: Sequence[Prepared[int]], rows: Sequence[Any]) -> EncodeResult:
        same = np.broadcast_to(self._row, (self.size, len(self._row)))
        dense, quantization = quantize(same, self._call.format)
        return EncodeResult(
            model=self._call.model,
            fingerprint="null",
            dense=dense,
            quantization=quantization,
            tokens=np.ones(self.size, np.int32),
            truncated=np.zeros(self.size, np.bool_),
            usage=Usage(tokens=self.size),
        )


def load(spec: ModelSpec, options: EngineOptions) -> NullEngine:
    """Load the null engine, which takes its width from the spec."""
    del options
    return NullEngine(spec.dimensions)
