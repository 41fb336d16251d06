"""What goes to the device for one window of a text, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stelae.engines.extract.spans import Candidates, Ints


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for in a window; windows that ask the same run together.

    Attributes:
        labels: Kinds of names.
        relations: Kinds of relations between them.
        threshold: Least score of a name, and of a relation.
    """

    labels: tuple[str, ...]
    relations: tuple[str, ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class Window:
    """Some words of a text, ready to run.

    Attributes:
        asked: What is looked for.
        ids: Token ids, the prompt and special tokens included.
        words: For each token that begins a word of the text, that word's number from 1;
            0 for all others.
        starts: First character of each word in the text.
        ends: The character after the last of each word.
    """

    asked: Asked
    ids: Ints
    words: Ints
    starts: Ints
    ends: Ints


@dataclass(frozen=True, slots=True)
class Links:
    """Relations between places, each of shape ``(N,)``.

    Attributes:
        heads: First and last character of the first name, shape ``(N, 2)``.
        tails: The same of the second.
        kinds: Positions of the relations in the call.
        scores: How sure the model is.
        left: Pairs of names that were not looked at, for there were too many names.
    """

    heads: Ints
    tails: Ints
    kinds: Ints
    scores: NDArray[np.float64]
    left: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What the model sees in a window.

    Attributes:
        names: Places that may be names.
        links: Relations between them, if any were asked for.
        left: Places that would have been names too; there were too many.
    """

    names: Candidates
    links: Links | None = None
    left: int = 0
