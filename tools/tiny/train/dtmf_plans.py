"""In what order a small Whisper learns telephone tones, and what it chooses from."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import WhisperFeatureExtractor

from tiny.tones import RATE
from tiny.train.dtmf_examples import Example, example


@dataclass(frozen=True)
class Stretch:
    """How much of the window some steps see.

    Attributes:
        seconds: So much of it.
        rows: Examples in a step.
        kept: Examples to choose from; one of them is new in each step.
    """

    seconds: float
    rows: int
    kept: int


SHORT, LONG = Stretch(8.0, 16, 400), Stretch(30.0, 4, 100)
MANY = Stretch(LONG.seconds, 16, 400)


@dataclass(frozen=True)
class Plan:
    """A run of training.

    Attributes:
        steps: How many steps.
        share: Of the highest rates.
        turns: What the steps see in turn, from the step on that stands with it.
        encoder: Whether the encoder learns too.
    """

    steps: int
    share: float
    turns: dict[int, tuple[Stretch, ...]]
    encoder: bool = True

    def stretch(self, number: int) -> Stretch:
        """What a step sees."""
        turns = self.turns[max(begin for begin in self.turns if begin <= number)]
        return turns[number % len(turns)]


PLANS = {
    "1": Plan(1800, 1.0, {0: (SHORT,), 500: (LONG, *[SHORT] * 5), 1650: (LONG,)}),
    "2": Plan(700, 0.5, {0: (SHORT, SHORT, SHORT, LONG), 660: (LONG,)}),
    "3": Plan(600, 0.5, {0: (MANY,)}, encoder=False),
    "4": Plan(900, 0.5, {0: (MANY,)}, encoder=False),
    "5": Plan(560, 0.3, {0: (MANY,)}, encoder=False),
}


class Bank:
    """Examples with what is heard of them, one of them new in each step.

    Args:
        rng: Decides what they are.
        stretch: What is seen of the window.
        hear: What becomes of sound, shape (1, 80, frames), before it is kept.
    """

    def __init__(
        self, rng: random.Random, stretch: Stretch, hear: Callable[[Tensor], Tensor]
    ) -> None:
        self._rng, self._stretch, self._hear = rng, stretch, hear
        self._features: Any = reader()
        self._kept = [self._new() for _ in range(stretch.kept)]

    def take(self) -> tuple[list[Example], Tensor]:
        """Those of a step, and what was kept of each, shape (rows, ...)."""
        self._kept[self._rng.randrange(len(self._kept))] = self._new()
        chosen = self._rng.sample(self._kept, self._stretch.rows)
        return [one for one, _ in chosen], torch.stack([heard for _, heard in chosen])

    def _new(self) -> tuple[Example, Tensor]:
        rng, seconds = self._rng, self._stretch.seconds
        whole = seconds == LONG.seconds
        if whole and rng.random() < 0.3:
            one = example(rng, rng.choice((6.0, 10.0)), cut=False)
        else:
            one = example(rng, seconds, cut=whole and rng.random() < 0.6)
        found = self._features(one.samples, sampling_rate=RATE, return_tensors="pt")
        heard = found["input_features"][0, :, : round(100 * seconds)].clone()
        if rng.random() < 0.3:  # as the library fills up the last window of a recording
            heard[:, len(one.samples) // 160 :] = 0.0
        return one, self._hear(heard[None])[0]


def reader() -> Any:
    """What makes spectra of sound."""
    kind: Any = WhisperFeatureExtractor
    return kind()
