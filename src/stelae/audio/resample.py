"""Samples at one rate to samples at another, block by block."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

EMPTY = np.empty(0, np.float32)


class Resampler:
    """Brings blocks of samples to one rate; their own may change between blocks.

    Args:
        rate: Samples per second that come out.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._source = rate
        self._stream: soxr.ResampleStream | None = None

    def add(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Take a block.

        Args:
            samples: Shape (N,).
            rate: How many of them make a second.

        Returns:
            What is ready, shape (M,); a part of it is held back until ``end``.
        """
        before = self.end() if rate != self._source else EMPTY
        if rate == self._rate:
            return np.concatenate([before, samples]) if len(before) else samples
        if self._stream is None:
            self._stream = soxr.ResampleStream(rate, self._rate, 1, dtype="float32")
            self._source = rate
        after: NDArray[np.float32] = self._stream.resample_chunk(samples)
        return np.concatenate([before, after]) if len(before) else after

    def end(self) -> NDArray[np.float32]:
        """What was held back."""
        if self._stream is None:
            return EMPTY
        rest: NDArray[np.float32] = self._stream.resample_chunk(EMPTY, last=True)
        self._stream, self._source = None, self._rate
        return rest
