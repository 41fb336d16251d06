"""The thread that paints: batches of equal shape, news in order, nothing done for nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest
from PIL import Image

from stelae.catalog.abilities import ImageMode
from stelae.engines.diffusers.loop import PaintLoop, Step
from stelae.engines.diffusers.request import AHEAD, Made, Request, Row, Shape
from stelae.errors import EngineFailed, OutOfMemory, ShuttingDown, StelaeError
from stelae.types import ImagePiece

SMALL = Shape(mode=ImageMode.TEXT, size=(8, 8), steps=3, guidance=1.0)
LARGE = Shape(mode=ImageMode.TEXT, size=(16, 16), steps=3, guidance=1.0)

BROKEN = "no numbers"
"""A prompt of which no picture can be made."""


class Brush:
    """Paints after it is let, and remembers what it was asked for."""

    def __init__(
        self,
        fault: Callable[[Sequence[Row]], None] = lambda rows: None,
        at: Callable[[Sequence[Row], int], None] = lambda rows, done: None,
    ) -> None:
        self.let = threading.Event()
        self.asked: list[list[str]] = []
        self.tidied = 0
        self._fault, self._at = fault, at

    def most(self, shape: Shape) -> int:
        return 4

    def paint(self, shape: Shape, rows: Sequence[Row], step: Step) -> list[Image.Image | None]:
        self.let.wait()
        self.asked.append([row.prompt for row in rows])
        for done in range(1, shape.steps + 1):
            self._at(rows, done)
            step(done, shape.steps)
        self._fault(rows)
        return [None if row.prompt == BROKEN else Image.new("RGB", shape.size) for row in rows]

    def tidy(self) -> None:
        self.tidied += 1


@contextmanager
def opened(brush: Brush) -> Iterator[PaintLoop]:
    loop = PaintLoop(brush)
    try:
        yield loop
    finally:
        brush.let.set()
        loop.close()


def row(prompt: str, shape: Shape = SMALL, request: Request | None = None, index: int = 0) -> Row:
    return Row(request or Request(), shape, index, seed=0, prompt=prompt)


async def whole(request: Request, pictures: int = 1) -> tuple[list[ImagePiece], list[Made]]:
    """All news of a call until its pictures are there."""
    news: list[ImagePiece] = []
    made: list[Made] = []
    while len(made) < pictures:
        more, done = await request.take()
        news += more
        made += done
    return news, made


async def test_a_picture_of_no_numbers_fails_and_those_beside_it_do_not() -> None:
    brush = Brush()
    broken, good = row(BROKEN), row("a")
    with opened(brush) as loop:
        loop.add([broken, good])
        brush.let.set()
        with pytest.raises(EngineFailed, match="no numbers"):
            await whole(broken.request)
        _, made = await whole(good.request)
    assert len(made) == 1


async def test_waiting_pictures_of_equal_shape_run_together() -> None:
    brush = Brush()
    rows = [row("first", LARGE), row("a"), row("other", LARGE), row("b"), row("c")]
    with opened(brush) as loop:
        loop.add(rows)
        brush.let.set()
        for each in rows:
            await whole(each.request)
        assert brush.asked == [["first", "other"], ["a", "b", "c"]]
        assert loop.stats.steps == 6
        assert loop.stats.sequences == 3 * 2 + 3 * 3


async def test_no_more_run_at_once_than_the_painter_takes() -> None:
    brush, request = Brush(), Request()
    with opened(brush) as loop:
        loop.add([row(str(i), request=request, index=i) for i in range(6)])
        brush.let.set()
        _, made = await whole(request, 6)
    assert [len(asked) for asked in brush.asked] == [4, 2]
    assert [each.index for each in made] == list(range(6))


async def test_each_step_is_told_before_the_picture() -> None:
    brush, request = Brush(), Request()
    with opened(brush) as loop:
        brush.let.set()
        loop.add([row("a", request=request)])
        news, _ = await whole(request)
    assert [(piece.step, piece.steps) for piece in news] == [(1, 3), (2, 3), (3, 3)]


async def test_news_of_a_reader_who_takes_none_is_bounded() -> None:
    brush, slow, quick = Brush(), Request(), Request()
    long = Shape(mode=ImageMode.TEXT, size=(8, 8), steps=5 * AHEAD, guidance=1.0)
    with opened(brush) as loop:
        loop.add([row("a", long, slow), row("b", request=quick)])
        brush.let.set()
        await whole(quick)
        news, _ = await whole(slow)
    assert len(news) == AHEAD
    assert news[-1].step == 5 * AHEAD


async def test_picture_that_nobody_waits_for_is_not_begun() -> None:
    brush = Brush()
    first, left, stayed = row("first", LARGE), row("left"), row("stayed")
    with opened(brush) as loop:
        loop.add([first, left, stayed])
        left.request.dropped = True
        brush.let.set()
        await whole(stayed.request)
    assert brush.asked == [["first"], ["stayed"]]


async def test_batch_that_all_have_left_ends_after_the_step() -> None:
    def leave(rows: Sequence[Row], done: int) -> None:
        rows[0].request.dropped |= rows[0].prompt == "left" and done == 1

    brush = Brush(at=leave)
    left, stayed = row("left", LARGE), row("stayed")
    with opened(brush) as loop:
        loop.add([left, stayed])
        brush.let.set()
        await whole(stayed.request)
        assert loop.stats.steps == 1 + 3


async def test_batch_goes_on_for_those_who_stay() -> None:
    def leave(rows: Sequence[Row], done: int) -> None:
        rows[0].request.dropped = True

    brush = Brush(at=leave)
    left, stayed = row("left"), row("stayed")
    with opened(brush) as loop:
        loop.add([left, stayed])
        brush.let.set()
        await whole(stayed.request)
    assert brush.asked == [["left", "stayed"]]


async def test_memory_that_is_too_small_for_a_batch_may_do_for_half_of_it() -> None:
    def too_small(rows: Sequence[Row]) -> None:
        if len(rows) > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 MiB")

    brush, request = Brush(too_small), Request()
    with opened(brush) as loop:
        loop.add([row(str(i), request=request, index=i) for i in range(3)])
        brush.let.set()
        _, made = await whole(request, 3)
    assert [each.index for each in made] == [0, 1, 2]
    assert [len(asked) for asked in brush.asked] == [3, 1, 2, 1, 1]
    assert brush.tidied == 2


@pytest.mark.parametrize(
    ("raised", "told"),
    [(MemoryError(), OutOfMemory), (ValueError("broken"), EngineFailed)],
)
async def test_failure_is_the_answer_to_those_who_asked_and_to_nobody_else(
    raised: Exception, told: type[StelaeError]
) -> None:
    def fail(rows: Sequence[Row]) -> None:
        if rows[0].prompt == "bad":
            raise raised

    brush, bad, good = Brush(fail), row("bad"), row("good", LARGE)
    with opened(brush) as loop:
        loop.add([bad, good])
        brush.let.set()
        await whole(good.request)
        with pytest.raises(told):
            await whole(bad.request)


async def test_end_fails_what_runs_and_what_waits() -> None:
    brush = Brush()
    running, waiting = row("running"), row("waiting", LARGE)
    with opened(brush) as loop:
        loop.add([running, waiting])
        end = threading.Thread(target=loop.close)
        end.start()
        await refused(loop)
        brush.let.set()
        end.join()
    for each in (running, waiting):
        with pytest.raises(ShuttingDown):
            await whole(each.request)


async def refused(loop: PaintLoop) -> None:
    """Wait until a loop takes nothing more."""
    with suppress(ShuttingDown):
        while True:
            loop.add([])
            await asyncio.sleep(0)
