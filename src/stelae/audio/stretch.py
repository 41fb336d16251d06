"""Sound faster or slower at the same pitch."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

STEP = (0.5, 2.0)
"""What FFmpeg's filter does well at once; more is done in several steps."""


def stretched(samples: NDArray[np.float32], rate: int, speed: float) -> NDArray[np.float32]:
    """The same sound in another time.

    Args:
        samples: Shape (N,).
        rate: How many of them make a second.
        speed: 2 for twice as fast; 1 changes nothing.

    Returns:
        Shape (M,), M about N / ``speed``.

    Source:
        FFmpeg's filter ``atempo``: waveform similarity overlap-add.
    """
    if speed == 1 or not len(samples):
        return samples
    graph = av.filter.Graph()
    time = Fraction(1, rate)
    steps: list[Any] = [
        graph.add_abuffer(sample_rate=rate, format="fltp", layout="mono", time_base=time)
    ]
    steps += [graph.add("atempo", f"{part:.6f}") for part in _steps(speed)]
    steps += [graph.add("aformat", "sample_fmts=fltp"), graph.add("abuffersink")]
    graph.link_nodes(*steps).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "fltp", "mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, time, 0
    graph.push(frame)
    graph.push(None)
    return np.concatenate([*_pulled(graph), np.empty(0, np.float32)])


def _steps(speed: float) -> Iterator[float]:
    """Factors within ``STEP`` whose product is the speed."""
    while not STEP[0] <= speed <= STEP[1]:
        part = STEP[0] if speed < 1 else STEP[1]
        yield part
        speed /= part
    yield speed


def _pulled(graph: Any) -> Iterator[NDArray[np.float32]]:
    while True:
        try:
            yield graph.pull().to_ndarray()[0]
        except (av.error.BlockingIOError, av.error.EOFError):
            return
