"""What a request came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Asked(Generic[C]):
    """A call, and what of the request it does not hold.

    Attributes:
        call: For the house.
        ids: The caller's names of the items; ``None`` where there is none.
        ignored: Options that mean nothing here.
    """

    call: C
    ids: list[str | None]
    ignored: tuple[str, ...] = ()
