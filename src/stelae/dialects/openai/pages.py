"""Long lists in pages, as this protocol asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from starlette.requests import Request

from stelae.errors import InvalidInput

MOST = 10_000
"""Entries of a page at most, and if nobody says."""


class Named(Protocol):
    """An entry of a list."""

    @property
    def id(self) -> str:
        """Its name."""
        ...


T = TypeVar("T", bound=Named)


def paged(entries: Sequence[T], request: Request) -> tuple[list[T], bool]:
    """The entries after ``after``, at most ``limit``; and whether there are more.

    Args:
        entries: All, the newest first; turned round for ``order=asc``.
        request: What is asked.

    Raises:
        InvalidInput: ``limit`` is no count, or ``order`` none.
    """
    given, after = request.query_params.get("limit"), request.query_params.get("after")
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidInput(f"order={order[:20]!r}: 'asc' or 'desc' was expected", param="order")
    entries = entries if order == "desc" else entries[::-1]
    if given is not None and not (given.isdecimal() and 0 < int(given[:6]) <= MOST):
        raise InvalidInput(f"limit={given[:20]!r}: 1 to {MOST} was expected", param="limit")
    names = [entry.id for entry in entries]
    start = names.index(after) + 1 if after in names else 0
    stop = start + (MOST if given is None else int(given))
    return list(entries[start:stop]), stop < len(entries)
