"""A recording that is read window by window, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stelae.audio.decode import pieces
from stelae.engines.listening.hearer import Floats

FRAMES_PER_SECOND = 50
"""Frames whose loudness is looked at."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a recording once it was read through.

    Attributes:
        samples: How many it has.
        powers: Mean square of each frame, shape (F,).
    """

    samples: int
    powers: Floats


def survey(data: bytes, rate: int) -> Survey:
    """Read a file through once, keeping nothing of it.

    Raises:
        InvalidInput: It is no recording, or too large; see ``audio.decode``.
    """
    size = rate // FRAMES_PER_SECOND
    total, rest, powers = 0, np.zeros(0, np.float32), []
    for piece in pieces(data, rate):
        total += len(piece)
        known = np.concatenate([rest, piece])
        whole = len(known) // size * size
        powers.append(_powers(known[:whole], size))
        rest = known[whole:]
    if len(rest):
        powers.append(_powers(rest, len(rest)))
    return Survey(total, np.concatenate(powers))


def _powers(samples: Floats, size: int) -> Floats:
    found: Floats = np.square(samples.reshape(-1, size)).mean(-1, dtype=np.float32)
    return found


class Tape:
    """Gives out stretches of a file's sound; goes forward only.

    Args:
        data: The file's bytes.
        rate: Samples per second.
    """

    def __init__(self, data: bytes, rate: int) -> None:
        self._pieces: Iterator[Floats] = pieces(data, rate)
        self._held = np.zeros(0, np.float32)
        self._start = 0

    def read(self, start: int, stop: int) -> Floats:
        """The samples from ``start``, which is never less than before, to ``stop``.

        Raises:
            InvalidInput: The file is broken there.
        """
        found = [self._held]
        end = self._start + len(self._held)
        while end < stop and (piece := next(self._pieces, None)) is not None:
            found.append(piece)
            end += len(piece)
            while self._start + len(found[0]) <= start and len(found) > 1:
                self._start += len(found.pop(0))
        held = np.concatenate(found)
        skip = min(max(0, start - self._start), len(held))
        self._held, self._start = held[skip:].copy(), self._start + skip
        return self._held[: stop - start]
