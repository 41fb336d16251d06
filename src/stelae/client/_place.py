"""Where something stands in what a caller gave, for messages."""

from __future__ import annotations

from dataclasses import dataclass

from stelae.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Place:
    """An argument, or one element of it.

    Attributes:
        name: The argument.
        index: Which element; ``None`` for the argument itself.
    """

    name: str
    index: int | None = None

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"

    def wrong(self, fault: str, hint: str | None = None) -> InvalidInput:
        """The error for what stands here."""
        details = {} if self.index is None else {"index": self.index}
        return InvalidInput(f"{self} {fault}", param=self.name, hint=hint, details=details)
