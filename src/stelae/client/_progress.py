"""Progress of a call: a bar in the terminal, or a function of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stelae.client._options import Progress as Wanted
from stelae.errors import MissingDependency

Advance = Callable[[int], None]
"""Told how many more items are done."""

Tell = Callable[[int, int | None], object]
"""Told how much is done, and how much there is in all, if that is known."""


@contextmanager
def shown(progress: Wanted, verb: str, total: int | None) -> Iterator[Advance]:
    """Show the progress of a call while it runs, item by item.

    Args:
        progress: See ``gauge``.
        verb: What is done.
        total: Items in all, ``None`` if not known.

    Raises:
        MissingDependency: A bar is asked for and ``rich`` is not installed.
    """
    with gauge(progress, verb, "items", total) as tell:
        yield _counted(tell, total)


@contextmanager
def gauge(progress: Wanted, verb: str, unit: str, total: int | None = None) -> Iterator[Tell]:
    """Show how much of something is done.

    Args:
        progress: ``False`` for nothing, ``True`` for a bar on standard error, or a function that
            is called with what is done and what there is in all.
        verb: What is done.
        unit: What is counted.
        total: How much there is in all, if that is known before anything is done.

    Raises:
        MissingDependency: A bar is asked for and ``rich`` is not installed.
    """
    if progress is True:
        with bar(verb, unit, total) as tell:
            yield tell
    elif progress is False:
        yield _nobody
    else:
        yield progress


def _nobody(done: int, total: int | None) -> None:
    del done, total


def _counted(tell: Tell, total: int | None) -> Advance:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(done, total)

    return advance


@contextmanager
def bar(verb: str, unit: str, total: int | None) -> Iterator[Tell]:
    """A bar on standard error.

    Args:
        verb: What is done.
        unit: What is counted.
        total: How much there is in all, ``None`` if not known yet.

    Raises:
        MissingDependency: ``rich`` is not installed.
    """
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            Task,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text
    except ModuleNotFoundError as error:
        raise MissingDependency(
            "progress=True needs the package 'rich'", hint="pip install 'stelae[cli]'"
        ) from error

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if speed is None:
                return Text("")
            return Text(f"{speed:,.0f} {unit}/s" if speed >= 10 else f"{speed:.2g} {unit}/s")

    columns: list[ProgressColumn] = [
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True)) as drawn:
        task = drawn.add_task(verb, total=total)
        yield lambda done, total: drawn.update(task, completed=done, total=total)
