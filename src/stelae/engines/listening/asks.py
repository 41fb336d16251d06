"""What a transcript under way asks for next; equal kinds of several transcripts run together."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass
from typing import Any

from stelae.engines.listening.hearer import Decoding, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Hear:
    """Listen to a window; answered with the model's memory of it.

    Attributes:
        samples: Its sound, shape (N,); silence follows where that is short of a window.
        features: Its spectra, shape (bins, frames), once they are made.
    """

    samples: Floats
    features: Floats | None = None

    @property
    def kind(self) -> Hashable:
        """What has to be equal for asks to run together."""
        return Hear


@dataclass(frozen=True, slots=True, eq=False)
class Detect:
    """Say how likely each language is; answered by the ids of their tokens.

    Attributes:
        heard: The model's memory of the window.
    """

    heard: Any

    @property
    def kind(self) -> Hashable:
        """What has to be equal for asks to run together."""
        return Detect


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """Write what is said; answered with ``Written``.

    Attributes:
        heard: The model's memory of the window.
        prompt: Tokens that stand before.
        how: How the text is searched.
    """

    heard: Any
    prompt: list[int]
    how: Decoding

    @property
    def kind(self) -> Hashable:
        """What has to be equal for asks to run together."""
        return (Write, len(self.prompt), self.how)


@dataclass(frozen=True, slots=True, eq=False)
class Align:
    """Say when each token is said; answered with ``Aligned``.

    Attributes:
        heard: The model's memory of the window.
        prefix: Tokens that say what was wanted.
        text: Those of the text.
        frames: Spectra after which the sound ends.
    """

    heard: Any
    prefix: tuple[int, ...]
    text: list[int]
    frames: int

    @property
    def kind(self) -> Hashable:
        """What has to be equal for asks to run together."""
        return (Align, self.prefix)


Ask = Hear | Detect | Write | Align
Steps = Generator[Ask, Any, None]
"""A transcript under way: asks, and is sent the answers."""
