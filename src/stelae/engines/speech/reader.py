"""What the engine asks of a model that reads aloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Sound, shape ``(S,)``, from -1 to 1."""

LONGEST = 240.0
"""Seconds that a sentence may last; a model that wants more has lost its way."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text is read.

    Attributes:
        voice: Which of the model's voices, by its place in their list.
        speed: How fast, for models that are paced; 1 as the model reads.
    """

    voice: int = 0
    speed: float = 1.0


class Reader(Protocol):
    """A model that reads aloud, sentence by sentence.

    Attributes:
        paced: Whether it reads faster or slower by itself.
    """

    paced: bool

    def voice(self, language: str) -> int:
        """The voice for a language that the model knows, by its place."""
        ...

    def prepare(self, text: str) -> list[Any]:
        """What the model reads of each sentence; may be called in any thread.

        Raises:
            InvalidInput: It cannot read the text.
        """
        ...

    def speak(self, sentence: Any, manner: Manner) -> Samples:
        """The sound of a sentence; called in one thread.

        Raises:
            EngineFailed: It would not come to an end.
        """
        ...
