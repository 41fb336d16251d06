"""Progress of a call: a bar in the terminal, or a function of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stelae.client._options import Plan
from stelae.errors import MissingDependency

Advance = Callable[[int], None]
"""Told how many more items are done."""


@contextmanager
def shown(plan: Plan[Any], total: int | None) -> Iterator[Advance]:
    """Show the progress of a call while it runs.

    Args:
        plan: Of the call. Its ``progress`` is ``False`` for nothing, ``True`` for a bar on
            standard error, or a function called with the items done and ``total``.
        total: Items in all, ``None`` if not known.

    Raises:
        MissingDependency: A bar is asked for and ``rich`` is not installed.
    """
    if plan.progress is True:
        with bar(plan.verb, total) as advance:
            yield advance
    elif plan.progress is False:
        yield _nobody
    else:
        yield _counted(plan.progress, total)


def _nobody(count: int) -> None:
    del count


def _counted(tell: Callable[[int, int | None], object], total: int | None) -> Advance:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(done, total)

    return advance


@contextmanager
def bar(verb: str, total: int | None) -> Iterator[Advance]:
    """A bar on standard error.

    Args:
        verb: What is done.
        total: Items in all, ``None`` if not known.

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
            return Text("" if speed is None else f"{speed:,.0f} items/s")

    columns: list[ProgressColumn] = [
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
    ]
    if total is not None:
        columns.append(TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda count: bar.advance(task, count)
