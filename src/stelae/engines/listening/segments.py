"""Tokens of a window to segments, and where the next window begins.

The model writes times between segments: one before and one behind each. A window is done up to
the last time behind which another segment began; what comes after that is heard again, whole,
in the next window, so that no word is lost or doubled at the border.

Source: Radford et al. 2022 (arXiv:2212.04356), section 3.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stelae.engines.listening.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Stretch:
    """A segment within a window.

    Attributes:
        start: Ticks from the beginning of the window.
        end: Likewise.
        tokens: Its text and times.
    """

    start: int
    end: int
    tokens: list[int]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a window holds.

    Attributes:
        stretches: Its segments, in order.
        done: Ticks after which the next window begins.
    """

    stretches: list[Stretch]
    done: int


def parse(tokens: Sequence[int], vocabulary: Vocabulary, ticks: int, *, more: bool) -> Parsed:
    """Cut what was written of a window into segments.

    Args:
        tokens: Text and times.
        vocabulary: Tells times from text.
        ticks: Length of the window's sound.
        more: Whether there is sound behind it.
    """
    times = [vocabulary.is_time(token) for token in tokens]
    cuts = [i for i in range(1, len(tokens)) if times[i - 1] and times[i]]
    whole = times[-2:] == [False, True]
    if not cuts:
        return _single(tokens, vocabulary, ticks, more=more)
    if whole:
        cuts.append(len(tokens))
    starts = [0, *cuts]
    stretches = [
        Stretch(vocabulary.tick(part[0]), vocabulary.tick(part[-1]), list(part))
        for part in (tokens[a:b] for a, b in zip(starts, cuts, strict=False))
        if vocabulary.is_time(part[0])
    ]
    done = ticks if whole else vocabulary.tick(tokens[cuts[-1] - 1])
    return Parsed(stretches, done if 0 < done < ticks else ticks)


def _single(tokens: Sequence[int], vocabulary: Vocabulary, ticks: int, *, more: bool) -> Parsed:
    """One segment, from its first time to its last, or to the end of the window if it has none.

    One that does not end in the window is heard again from where it begins.
    """
    stated = [vocabulary.tick(token) for token in tokens if vocabulary.is_time(token)]
    opened = bool(tokens) and vocabulary.is_time(tokens[0])
    start = stated[0] if opened else 0
    ended = len(stated) > opened and stated[-1] > start
    if more and not ended and 0 < start < ticks:
        return Parsed([], start)
    end = min(stated[-1], ticks) if ended else ticks
    return Parsed([Stretch(start, end, list(tokens))], ticks)
