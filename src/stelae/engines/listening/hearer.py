"""The seam between the loop of windows and a model: what is asked of it, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a text is searched.

    Attributes:
        temperature: 0 takes the likeliest token, more draws among all.
        beams: Width of the search at temperature 0.
    """

    temperature: float = 0.0
    beams: int = 1


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote of a window.

    Attributes:
        tokens: Text and times, without what stands before and without the end.
        avg_logprob: Mean natural logarithm of their probabilities, the end's among them.
        no_speech: How likely nothing is said, 0 to 1.
    """

    tokens: list[int]
    avg_logprob: float
    no_speech: float


@dataclass(frozen=True, slots=True)
class Aligned:
    """When the tokens of a text are said.

    Attributes:
        times: Seconds from the beginning of the window at which each begins, and behind them
            the one at which the last ends; ascending.
        probabilities: How sure the model is of each, 0 to 1.
    """

    times: list[float]
    probabilities: list[float]


HEARS = {"cpu": 1, "cuda": 8}
"""Windows that are listened to at once, by device: a processor is busy with one, and each takes
hundreds of megabytes while it is heard."""


class Hearer(Protocol):
    """A loaded model; called by one thread only, always the same.

    What it remembers of a window (``Any`` here) is its own; it is let go of when the window
    is done.
    """

    @property
    def hears(self) -> int:
        """Windows that it listens to at once, at most."""
        ...

    def hear(self, features: Floats) -> Sequence[Any]:
        """Listen to windows: log-mel spectra, shape (B, bins, frames), to one memory each."""
        ...

    def languages(self, heard: Sequence[Any]) -> list[dict[int, float]]:
        """How likely each language is, by the id of its token; sums to 1."""
        ...

    def write(
        self, heard: Sequence[Any], prompts: Sequence[Sequence[int]], how: Decoding
    ) -> list[Written]:
        """Write texts; all prompts are equally long."""
        ...

    def align(
        self,
        heard: Sequence[Any],
        prefix: Sequence[int],
        texts: Sequence[Sequence[int]],
        frames: Sequence[int],
    ) -> list[Aligned]:
        """When the tokens of texts are said; the sound ends after so many spectra."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...
