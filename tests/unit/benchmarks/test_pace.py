from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean, stdev

import pytest

from benchmarks.pace import Ask, Tally, arrivals, closed, opened
from benchmarks.wire import BROKEN, Answer

GOOD = Answer(200, b"vectors")


class Jumping(asyncio.SelectorEventLoop):
    """A loop that does not wait: its clock jumps to whatever is due next."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0
        look = self._selector.select
        self._selector.select = lambda timeout=None: self._jump(timeout) or look(0)

    def time(self) -> float:
        return self._at

    def _jump(self, timeout: float | None) -> None:
        self._at += timeout or 0.0


@pytest.fixture
def jumping() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=Jumping) as runner:
        yield runner


def taking(seconds: float, answer: Answer = GOOD) -> Ask:
    """A connection to a server that answers each request after so long."""

    async def ask(_number: int) -> Answer:
        await asyncio.sleep(seconds)
        return answer

    return ask


def latencies(
    runner: asyncio.Runner, pace: Callable[[], Awaitable[None]], tally: Tally
) -> Sequence[float]:
    async def paced() -> None:
        await pace()

    runner.run(paced())
    return tally.seconds


def test_requests_that_wait_for_a_connection_count_from_when_they_were_due(
    jumping: asyncio.Runner,
) -> None:
    # One at a time, a second each, due twice a second: each waits half a second longer (Lindley).
    tally = Tally(0.0, 10.0, intended=True)
    due = [0.0, 0.5, 1.0, 1.5]
    found = latencies(jumping, lambda: opened([taking(1.0)], tally, due), tally)
    assert found == pytest.approx([1.0, 1.5, 2.0, 2.5])


def test_a_closed_loop_does_not_see_how_long_others_would_have_waited(
    jumping: asyncio.Runner,
) -> None:
    tally = Tally(0.0, 10.0)
    found = latencies(jumping, lambda: closed([taking(1.0)], tally, 4.0), tally)
    assert found == pytest.approx([1.0] * 4)


def test_with_connections_enough_latency_is_that_of_the_server(jumping: asyncio.Runner) -> None:
    tally = Tally(0.0, 10.0, intended=True)
    due = [0.0, 0.5, 1.0, 1.5]
    found = latencies(jumping, lambda: opened([taking(1.0)] * 3, tally, due), tally)
    assert found == pytest.approx([1.0] * 4)


def test_requests_due_while_warming_up_do_not_count_and_those_answered_late_do(
    jumping: asyncio.Runner,
) -> None:
    tally = Tally(1.0, 2.0, intended=True)
    due = [0.0, 1.0, 1.9, 2.0]
    found = latencies(jumping, lambda: opened([taking(0.5)] * 4, tally, due), tally)
    assert (len(found), tally.last) == (2, pytest.approx(2.4))


def test_what_is_answered_after_the_end_of_a_closed_loop_does_not_count(
    jumping: asyncio.Runner,
) -> None:
    tally = Tally(1.0, 2.0)
    found = latencies(jumping, lambda: closed([taking(0.75)], tally, 2.0), tally)
    assert len(found) == 1  # answered at 1.5; those of 0.75 and 2.25 are outside


def test_failed_answers_have_no_latency(jumping: asyncio.Runner) -> None:
    tally = Tally(0.0, 10.0)
    found = latencies(jumping, lambda: closed([taking(1.0, BROKEN)], tally, 3.0), tally)
    assert (list(found), tally.failed) == ([], 3)


def test_requests_given_up_waited_at_least_until_then() -> None:
    tally = Tally(1.0, 2.0, intended=True)
    for number, due in enumerate((0.5, 1.0, 1.5)):
        tally.asked(number, due)
    tally.answered(1, 1.25, GOOD)
    tally.given_up(5.0)
    assert tally.seconds == [0.25, 3.5]
    assert (tally.answers, tally.unanswered) == (1, 2)


@pytest.mark.parametrize(("sample", "kept"), [(0, 0), (4, 4), (50, 20)])
def test_so_many_answers_are_kept_with_their_requests(sample: int, kept: int) -> None:
    tally = Tally(0.0, 100.0, sample=sample)
    for number in range(20):
        tally.asked(number, 1.0)
        tally.answered(number, 2.0, Answer(200, str(number).encode()))
    assert len(tally.kept) == kept
    assert all(str(number).encode() == body for number, body in tally.kept)
    assert len(dict(tally.kept)) == kept


def test_steady_arrivals_are_equally_far_apart() -> None:
    assert arrivals(4.0, 1.0) == [0.0, 0.25, 0.5, 0.75]


def test_random_arrivals_are_those_of_their_seed() -> None:
    assert arrivals(50.0, 2.0, 1) == arrivals(50.0, 2.0, 1)
    assert arrivals(50.0, 2.0, 1) != arrivals(50.0, 2.0, 2)


def test_random_arrivals_are_a_poisson_process() -> None:
    due = arrivals(100.0, 100.0, 3)
    gaps = [after - before for before, after in pairwise(due)]
    assert due[0] > 0
    assert due[-1] < 100.0
    # 10,000 are expected, with a standard deviation of 100; gaps have a mean of 1/100, and as
    # they are exponential, the same deviation.
    assert abs(len(due) - 10_000) < 500
    assert fmean(gaps) == pytest.approx(0.01, rel=0.05)
    assert stdev(gaps) == pytest.approx(0.01, rel=0.05)
