from __future__ import annotations

import pytest

from stelae.scheduler.width import MEMORY, QUICK, WINDOW, Width

LONG = 10 * QUICK


def test_what_runs_alone_has_all_processors_and_what_has_company_its_share() -> None:
    width = Width(8, 4)
    assert width.choose(LONG, 0.0, company=0) == 8
    assert width.choose(LONG, 0.0, company=1) == 4
    assert width.choose(LONG, 0.0, company=9) == 2


def test_what_is_done_at_once_wakes_nobody() -> None:
    assert Width(8, 4).choose(QUICK / 2, 0.0, company=0) == 1
    assert Width(8, 4).choose(QUICK / 2, 0.0, company=3) == 1


@pytest.mark.parametrize(("cores", "lanes"), [(1, 1), (2, 2), (3, 2), (2, 4)])
def test_everything_has_a_thread_at_least(cores: int, lanes: int) -> None:
    width = Width(cores, lanes)
    assert width.choose(LONG, 0.0, company=9) == max(1, cores // lanes)
    width.observe(cores + 1, ran=0.0, seconds=1.0, now=0.0)
    assert width.choose(LONG, 0.1, company=9) >= 1


def test_a_crowded_processor_is_not_shared_out_for_a_while() -> None:
    width = Width(2, 2)
    width.observe(2, ran=0.2 * WINDOW, seconds=WINDOW, now=10.0)
    assert width.choose(LONG, 10.1, company=0) == 1
    assert width.choose(LONG, 10.1 + MEMORY, company=0) == 2


def test_one_batch_that_was_held_up_says_nothing_of_the_others() -> None:
    width = Width(2, 2)
    for ran in (0.1, 0.9, 0.9, 0.9):
        width.observe(2, ran=ran * WINDOW / 4, seconds=WINDOW / 4, now=10.0)
    assert width.choose(LONG, 10.1, company=0) == 2


def test_threads_that_ran_all_the_time_say_that_there_is_room() -> None:
    width = Width(2, 2)
    width.observe(2, ran=WINDOW, seconds=WINDOW, now=10.0)
    width.observe(1, ran=0.0, seconds=WINDOW, now=10.0)  # few threads say nothing of many
    assert width.choose(LONG, 10.1, company=0) == 2


def test_a_processor_that_stays_crowded_is_tried_ever_more_rarely() -> None:
    width, now, waits = Width(2, 2), 0.0, []
    for _ in range(8):
        width.observe(2, ran=0.0, seconds=WINDOW, now=now)
        until = next(t for t in range(1, 200) if width.choose(LONG, now + t, company=0) == 2)
        waits.append(until)
        now += until
    assert waits == [2, 4, 8, 16, 32, 64, 64, 64]
    width.observe(2, ran=WINDOW, seconds=WINDOW, now=now)
    width.observe(2, ran=0.0, seconds=WINDOW, now=now)
    assert width.choose(LONG, now + MEMORY, company=0) == 2
