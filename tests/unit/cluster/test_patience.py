from __future__ import annotations

from stelae.cluster.patience import COMPUTING, Failures, Patience, Stall
from stelae.cluster.vitals import Vitals


def test_three_failures_in_a_row_are_hopeless() -> None:
    failures = Failures(Patience(failures=3, window=30.0))
    hopeless = []
    for now in (0.0, 1.0, 2.0):
        failures.count(now)
        hopeless.append(failures.hopeless)
    assert hopeless == [False, False, True]


def test_failures_outside_the_window_do_not_count() -> None:
    failures = Failures(Patience(failures=3, window=30.0))
    for now in (0.0, 20.0, 40.0, 60.0):
        failures.count(now)
    assert not failures.hopeless


def test_a_success_wipes_the_slate() -> None:
    failures = Failures(Patience(failures=2))
    failures.count(0.0)
    failures.forget()
    failures.count(1.0)
    assert not failures.hopeless


def test_pauses_grow_from_none() -> None:
    failures = Failures(Patience(pause=0.25))
    pauses = [failures.pause]
    for now in (0.0, 1.0, 2.0):
        failures.count(now)
        pauses.append(failures.pause)
    assert pauses == [0.0, 0.25, 0.5, 1.0]


def looks(stall: Stall, *seen: Vitals | None) -> list[bool]:
    return [stall.look(vitals) for vitals in seen]


def test_silence_is_a_hang_after_the_given_looks() -> None:
    assert looks(Stall(3), None, None, None) == [False, False, True]


def test_a_sign_of_life_ends_the_silence() -> None:
    idle = Vitals()
    assert not any(looks(Stall(2), None, idle, None, idle, None))


def test_work_without_batches_is_a_hang() -> None:
    stuck = Vitals(calls=1, batches=5)
    assert looks(Stall(2), stuck, stuck, stuck) == [False, False, True]


def test_a_long_batch_that_keeps_the_processor_busy_is_none() -> None:
    seen = [Vitals(calls=1, batches=5, cpu_seconds=0.5 * i) for i in range(60)]
    told = looks(Stall(2, beat=1.0), *seen)
    assert not any(told[: 2 * COMPUTING - 1])
    assert told[-1]


def test_a_little_processor_time_is_no_work() -> None:
    seen = [Vitals(calls=1, batches=5, cpu_seconds=0.01 * i) for i in range(3)]
    assert looks(Stall(2, beat=1.0), *seen) == [False, False, True]


def test_work_with_batches_is_none() -> None:
    assert not any(looks(Stall(2), *(Vitals(calls=1, batches=i) for i in range(9))))


def test_idleness_is_none() -> None:
    assert not any(looks(Stall(2), *[Vitals(calls=0, batches=5)] * 9))


def test_doubt_comes_at_half_time() -> None:
    stall, stuck = Stall(4), Vitals(calls=1, batches=5)
    doubts = []
    for _ in range(3):
        stall.look(stuck)
        doubts.append(stall.doubtful)
    assert doubts == [False, False, True]


def test_the_beat_is_a_second_or_a_quarter_of_the_limit() -> None:
    assert (Patience(hang=30.0).beat, Patience(hang=0.4).beat) == (1.0, 0.1)
