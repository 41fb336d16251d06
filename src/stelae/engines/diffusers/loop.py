"""The thread that paints: pictures of equal shape that wait at the same time run in one batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace
from PIL import Image

from stelae.engines.base import StreamStats
from stelae.engines.diffusers.request import Made, Row, Shape
from stelae.engines.failures import as_ours
from stelae.errors import EngineFailed, OutOfMemory, ShuttingDown, StelaeError

Step = Callable[[int, int], None]
"""Told of each step: how many are done, and how many there are."""


class Painter(Protocol):
    """What computes; used by one thread."""

    def most(self, shape: Shape) -> int:
        """Pictures of a shape that are made at once."""
        ...

    def paint(self, shape: Shape, rows: Sequence[Row], step: Step) -> list[Image.Image | None]:
        """Make pictures, in order, ``None`` for one whose pixels are no numbers.

        Whatever ``step`` raises ends the work.
        """
        ...

    def tidy(self) -> None:
        """Give back memory that nothing uses."""
        ...


class Left(Exception):
    """Nobody waits for the pictures of a batch any more."""


class PaintLoop:
    """Makes pictures on one model, in a thread of its own.

    Args:
        painter: What computes.
    """

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._stir = threading.Condition()
        self._waiting: list[Row] = []
        self._closed = False
        self.stats = StreamStats()
        self._thread = threading.Thread(target=self._serve, name="stelae-paint", daemon=True)
        self._thread.start()

    def add(self, rows: Sequence[Row]) -> None:
        """Take pictures in.

        Raises:
            ShuttingDown: The loop has ended.
        """
        with self._stir:
            if self._closed:
                raise ShuttingDown("the model is being unloaded", retry_after=1.0)
            self._waiting += rows
            self._stir.notify()

    def close(self) -> None:
        """End after this step; what is left fails."""
        with self._stir:
            self._closed = True
            self._stir.notify()
        self._thread.join()
        _fail(self._waiting, _shutting_down())

    def _serve(self) -> None:
        while rows := self._next():
            self._make(rows)

    def _make(self, rows: list[Row]) -> None:
        """Make pictures together; where the memory is too small for that, half of them at once."""
        rows = [row for row in rows if not row.request.dropped]
        error = self._tried(rows) if rows else None
        if isinstance(error, OutOfMemory) and len(rows) > 1:
            self._painter.tidy()
            middle = len(rows) // 2
            self._make(rows[:middle])
            self._make(rows[middle:])
        elif error is not None:
            _fail(rows, error)

    def _tried(self, rows: list[Row]) -> StelaeError | None:
        """Why pictures could not be made, if so."""
        try:
            self._run(rows)
        except Left:
            return None
        except Exception as error:  # whatever a model raises is the answer to these calls
            return as_ours(error)
        return None

    def _next(self) -> list[Row]:
        """The pictures of the next batch: those that have the shape of the one that came first."""
        with self._stir:
            self._stir.wait_for(lambda: self._closed or self._something())
            if self._closed:
                return []
            shape = self._waiting[0].shape
            alike = [row for row in self._waiting if row.shape == shape]
            rows = alike[: self._painter.most(shape)]
            self._waiting = [row for row in self._waiting if row not in rows]
            return rows

    def _something(self) -> bool:
        """Whether anybody waits for a picture."""
        self._waiting = [row for row in self._waiting if not row.request.dropped]
        return bool(self._waiting)

    def _run(self, rows: list[Row]) -> None:
        since = time.monotonic()

        def step(done: int, steps: int) -> None:
            nonlocal since
            now = time.monotonic()
            self._count(len(rows), now - since)  # before any reader can have the news
            since = now
            for row in rows:
                row.request.step(row.index, done, steps)
            self._go_on(rows)

        for row, image in zip(rows, self._painter.paint(rows[0].shape, rows, step), strict=True):
            if image is None:
                _fail([row], EngineFailed("the model made a picture whose pixels are no numbers"))
            else:
                row.request.put(Made(row.index, row.seed, image))

    def _go_on(self, rows: list[Row]) -> None:
        """Between two steps of a batch.

        Raises:
            Left: Nobody waits for it any more.
            ShuttingDown: The loop is to end.
        """
        if self._closed:
            raise _shutting_down()
        if all(row.request.dropped for row in rows):
            raise Left

    def _count(self, pictures: int, seconds: float) -> None:
        before = self.stats
        self.stats = replace(
            before,
            steps=before.steps + 1,
            sequences=before.sequences + pictures,
            seconds=before.seconds + seconds,
        )


def _fail(rows: Sequence[Row], error: StelaeError) -> None:
    for row in rows:
        row.request.dropped = True
        row.request.fail(error)


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("the model was unloaded before the answer was whole")
