from __future__ import annotations

from importlib.util import find_spec

import pytest

from benchmarks import __main__ as program
from benchmarks import compare
from benchmarks.all import STARTING, STEPS, Step
from benchmarks.offered import saturated
from benchmarks.results import LONGEST, WHOLE, Cell, Turn


def turn(answered: float, requests: int) -> Turn:
    return Turn(answered, 2.0, requests, 0, 0, 0, None, None, None, {})


@pytest.mark.parametrize("name", program.NAMES)
def test_every_comparison_that_is_listed_exists(name: str) -> None:
    assert find_spec(f"benchmarks.{name}") is not None


@pytest.mark.parametrize("name", STEPS)
def test_all_runs_comparisons_that_are_listed(name: str) -> None:
    assert name in program.NAMES


def test_the_time_of_a_step_grows_with_servers_cells_and_rounds() -> None:
    step = Step(print, cells=3, peers=1, share=0.5)
    assert step.rounds(4) == 2
    assert step.seconds(10.0, 4, alone=True) == STARTING + 3 * 2 * 10.0
    assert step.seconds(10.0, 4, alone=False) == 2 * step.seconds(10.0, 4, alone=True)


def test_a_step_has_one_round_at_least() -> None:
    assert Step(print, cells=1, peers=0, share=0.1).rounds(1) == 1


def test_a_server_that_answers_what_comes_is_not_saturated() -> None:
    # Two seconds of about 50 requests each: as many as came, whatever the rate was meant to be.
    assert not saturated([turn(47.0, 94), turn(52.0, 104)], 2.0)


def test_a_server_that_falls_behind_in_most_rounds_is_saturated() -> None:
    assert saturated([turn(40.0, 100), turn(41.0, 104), turn(50.0, 100)], 2.0)
    assert not saturated([turn(40.0, 100), turn(50.0, 104), turn(50.0, 100)], 2.0)


def test_each_round_begins_elsewhere_with_the_same_texts() -> None:
    texts = [str(number) for number in range(200)]
    rounds = [compare.turned(texts, turn) for turn in range(3)]
    assert rounds[0] == texts
    assert all(sorted(each) == sorted(texts) for each in rounds)
    assert len({each[0] for each in rounds}) == 3


def test_turns_are_longer_where_more_is_in_flight_but_not_without_bound() -> None:
    one, many, most = (Cell(name="c", title="t", in_flight=n).stretch for n in (1, 16, 4096))
    assert one == 1.0
    assert 1.0 < many < most == LONGEST
    assert Cell(name="c", title="t", per_request=WHOLE).stretch == 1.0
    assert Cell(name="c", title="t", in_flight=64, rate=10.0).stretch == 1.0
