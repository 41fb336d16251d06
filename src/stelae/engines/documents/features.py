"""What is asked of a picture, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be written, and how.

    Attributes:
        task: Its name, as the model knows it; empty for the model's only one.
        ids: Token ids of the prompt.
        most: Most tokens written.
        beams: Width of the search; 1 takes the best token each time.
    """

    task: str
    ids: tuple[int, ...]
    most: int
    beams: int = 1


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of one picture.

    Attributes:
        text: It, with the special tokens in it.
        cut: Whether the model had not come to the end.
    """

    text: str
    cut: bool
