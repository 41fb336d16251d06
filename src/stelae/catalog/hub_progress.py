"""Progress of a download as a plain callback, in the form the hub library wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

Progress = Callable[[str, int, int], None]
"""Told the hub id, the bytes there so far and the bytes in all as far as known."""


class _Bar:
    """The part of ``tqdm`` that ``snapshot_download`` uses; it prints nothing.

    The library opens one bar that counts files and two that count bytes, and gives
    each file's size to the latter when it begins with the file.
    """

    repo = ""
    progress: Progress | None = None

    def __init__(self, iterable: Any = None, *_: Any, **options: Any) -> None:
        self._iterable = iterable
        self.total: float | None = options.get("total")
        self.n: float = options.get("initial") or 0
        self._counts_bytes = options.get("unit") == "B"

    def update(self, n: float | None = 1) -> None:
        """Count further."""
        self.n += n or 0
        if self._counts_bytes and self.progress is not None:
            self.progress(self.repo, int(self.n), int(max(self.total or 0, self.n)))

    def __iter__(self) -> Iterator[Any]:
        for value in self._iterable:
            yield value
            self.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        """Nothing is shown, nothing to take away."""

    def refresh(self, *_: Any, **__: Any) -> None:
        """Nothing is shown."""

    def set_description(self, *_: Any, **__: Any) -> None:
        """Nothing is shown."""

    def set_description_str(self, *_: Any, **__: Any) -> None:
        """Nothing is shown."""

    def set_postfix_str(self, *_: Any, **__: Any) -> None:
        """Nothing is shown."""


def bar_class(repo: str, progress: Progress | None) -> type[_Bar]:
    """A bar class that tells ``progress`` of the bytes of one download."""
    told = None if progress is None else staticmethod(progress)
    return type("Bar", (_Bar,), {"repo": repo, "progress": told})
