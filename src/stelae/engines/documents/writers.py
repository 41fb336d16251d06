"""What differs between models that write: prompts, and how answers are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from stelae.catalog.spec import ModelSpec
from stelae.engines.documents.donut import Donut
from stelae.engines.documents.features import Asked
from stelae.engines.documents.florence import Florence
from stelae.types import Extraction


class Writer(Protocol):
    """Prompts and answers of one model.

    Attributes:
        tokenizer: The library's.
        patches: Tokens in a prompt that stand for the picture.
    """

    tokenizer: Any
    patches: int

    def prompt(self, instruction: str | None) -> tuple[str, tuple[int, ...]]:
        """Name and token ids of a task.

        Raises:
            InvalidInput: The model does not know it.
            InputTooLong: It is too long.
        """
        ...

    def begins(self, asked: Asked) -> int:
        """Tokens of an answer that the model did not write."""
        ...

    def inputs(self, asked: Asked, count: int) -> dict[str, Tensor]:
        """What the model reads beside each of so many pictures."""
        ...

    def options(self) -> dict[str, Any]:
        """What else is said of the writing, by the library's names."""
        ...

    def read(self, task: str, text: str, size: tuple[int, int]) -> Extraction:
        """What an answer says of a picture of this width and height."""
        ...


WRITERS: dict[str, Callable[[ModelSpec], Writer]] = {"florence-2": Florence, "donut": Donut}
"""By the layout of the checkpoint."""
