from __future__ import annotations

from stelae.scheduler.entry import Entry, Slot
from stelae.scheduler.queue import BRIEF, ENOUGH, LEAD, Limits, Queue


def arrive(queue: Queue[Slot], now: float, *costs: int, urgent: bool = False) -> Slot:
    slot = Slot(sum(costs), now, urgent=urgent)
    assert queue.admit(slot)
    queue.push(Entry(slot, index, None, cost) for index, cost in enumerate(costs))
    return slot


def order(queue: Queue[Slot], now: float) -> list[tuple[Slot, int]]:
    taken = []
    while batch := queue.take(now).entries:
        taken += [(entry.slot, entry.index) for entry in batch]
    return taken


def test_short_text_overtakes_long_one_that_came_a_moment_earlier() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000))
    long = arrive(queue, 0.0, 500)
    short = arrive(queue, 0.1, 5)
    assert order(queue, 0.1) == [(short, 0), (long, 0)]


def test_long_text_is_not_overtaken_by_what_comes_after_its_ageing() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=10, ageing=2.0))
    long = arrive(queue, 0.0, 5000)
    short = arrive(queue, 2.5, 1)
    assert order(queue, 3.0) == [(long, 0), (short, 0)]


def test_tail_of_a_large_call_lets_a_single_text_through() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000, batch_items=1))
    large = arrive(queue, 0.0, *[100] * 20)
    single = arrive(queue, 0.5, 10)
    position = order(queue, 0.5).index((single, 0))
    assert position < 3
    assert large.alive


def test_entries_of_one_call_leave_in_order() -> None:
    queue: Queue[Slot] = Queue(Limits(ageing=0.001))
    call = arrive(queue, 0.0, *[7] * 50)
    assert order(queue, 0.0) == [(call, index) for index in range(50)]


def test_urgent_call_goes_first_and_is_never_refused() -> None:
    queue: Queue[Slot] = Queue(Limits(queue_tokens=10))
    first = arrive(queue, 0.0, 10)
    check = arrive(queue, 1.0, 5, urgent=True)
    assert order(queue, 1.0) == [(check, 0), (first, 0)]


def test_full_queue_refuses_and_takes_again_after_release() -> None:
    queue: Queue[Slot] = Queue(Limits(queue_tokens=100))
    first = arrive(queue, 0.0, 90)
    assert not queue.admit(Slot(20, 0.0))
    queue.release(first)
    assert queue.admit(Slot(20, 0.0))


def test_empty_queue_takes_a_call_of_any_size() -> None:
    queue: Queue[Slot] = Queue(Limits(queue_tokens=100))
    assert queue.admit(Slot(1_000_000, 0.0))


def test_late_entry_is_given_back_and_never_run() -> None:
    queue: Queue[Slot] = Queue(Limits())
    slot = Slot(5, 0.0, deadline=1.0)
    queue.admit(slot)
    queue.push([Entry(slot, 0, None, 5)])
    batch = queue.take(1.0)
    assert not batch.entries
    assert [entry.slot for entry in batch.late] == [slot]


def test_item_over_the_batch_bound_runs_alone() -> None:
    queue: Queue[Slot] = Queue(Limits(batch_tokens=10))
    arrive(queue, 0.0, 4)
    arrive(queue, 0.0, 50)
    assert [len(queue.take(0.0).entries) for _ in range(2)] == [1, 1]


def test_batch_is_no_longer_than_the_rate_allows() -> None:
    queue: Queue[Slot] = Queue(Limits(batch_tokens=1000, batch_seconds=0.5, tokens_per_second=40))
    arrive(queue, 0.0, *[10] * 4)
    assert len(queue.take(0.0).entries) == 2


def test_rate_follows_what_is_measured() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1.0))
    for _ in range(100):
        queue.observe(5000, 1.0)
    assert abs(queue.rate - 5000) < 1


def test_what_waits_is_shared_among_those_that_could_run_it() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000))
    arrive(queue, 0.0, *[100] * 8)
    assert queue.take(0.0, 2).cost == 400
    assert queue.take(0.0, 1).cost == 400
    assert not queue.waiting


def test_a_trifle_is_not_shared_out() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=10_000))
    arrive(queue, 0.0, *[4] * (ENOUGH // 4))
    assert queue.take(0.0, 4).cost == ENOUGH


def test_what_takes_next_to_no_time_is_left_to_lanes_that_are_busy_too() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=20_000), lanes=2)
    for _ in range(16):
        arrive(queue, 0.0, 12)
    assert len(queue.take(0.0, takers=1).entries) == 8
    one: Queue[Slot] = Queue(Limits(tokens_per_second=20_000))
    for _ in range(16):
        arrive(one, 0.0, 12)
    assert len(one.take(0.0, takers=1).entries) == 16


def test_work_of_calls_that_left_is_not_counted_for_others() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000))
    gone = arrive(queue, 0.0, *[100] * 10)
    queue.release(gone)
    assert not queue.take(0.0, 2).entries
    arrive(queue, 0.0, 300, 300)
    assert queue.take(0.0, 2).cost == 300


def test_what_takes_next_to_no_time_can_be_taken_by_itself() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000), lanes=2)
    arrive(queue, 0.0, 500, 500)
    quick = arrive(queue, 3.0, 4)
    assert queue.quick
    taken = queue.take_quick(3.0)
    assert [entry.slot for entry in taken.entries] == [quick]
    assert not queue.quick
    assert queue.waiting


def test_no_more_of_it_is_taken_than_that() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000), lanes=2)
    arrive(queue, 0.0, *[2] * 100)
    assert queue.take_quick(0.0).cost <= 32


def test_both_kinds_leave_in_the_order_in_which_they_are_due() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000, batch_items=1), lanes=2)
    first = arrive(queue, 0.0, 2)
    long = arrive(queue, 0.1, 100)
    last = arrive(queue, 5.0, 2)
    assert [slot for slot, _ in order(queue, 5.0)] == [first, long, last]


def test_batches_are_brief_where_there_are_lanes_but_not_tiny() -> None:
    fast: Queue[Slot] = Queue(Limits(tokens_per_second=20_000), lanes=2)
    slow: Queue[Slot] = Queue(Limits(tokens_per_second=500), lanes=2)
    for queue in (fast, slow):
        arrive(queue, 0.0, *[16] * 400)
    assert fast.take(0.0).cost == 20_000 * BRIEF // 16 * 16
    assert slow.take(0.0).cost == ENOUGH


def test_lanes_share_the_time_for_which_others_may_pass() -> None:
    def leaves(lanes: int) -> bool:
        queue: Queue[Slot] = Queue(Limits(tokens_per_second=1000, batch_items=1), lanes)
        long = arrive(queue, 0.0, 250)  # a second with one lane, half of one with two
        arrive(queue, 0.6 + LEAD, 5)
        return queue.take(0.6 + LEAD).entries[0].slot is long

    assert [leaves(1), leaves(2)] == [False, True]


def test_what_takes_next_to_no_time_goes_before_what_came_a_moment_earlier() -> None:
    queue: Queue[Slot] = Queue(Limits(tokens_per_second=1e6, batch_items=1), lanes=2)
    long = [arrive(queue, at / 100, 3000) for at in range(10)]
    quick = arrive(queue, 0.1, 5)
    late = arrive(queue, 2 * LEAD, 5)
    assert [slot for slot, _ in order(queue, 1.0)] == [quick, *long, late]


def test_of_several_lanes_none_makes_a_short_text_wait_for_a_long_one_of_its_batch() -> None:
    several: Queue[Slot] = Queue(Limits(), lanes=2)
    alone: Queue[Slot] = Queue(Limits())
    for queue in (several, alone):
        arrive(queue, 0.0, 300)
        arrive(queue, 0.0, 5)
    assert [several.take(0.0).cost, several.take(0.0).cost] == [5, 300]
    assert alone.take(0.0).cost == 305


def test_batches_hold_up_what_takes_next_to_no_time_if_they_have_something_long() -> None:
    def slow(lanes: int, *costs: int) -> bool:
        queue: Queue[Slot] = Queue(Limits(tokens_per_second=10_000), lanes)
        arrive(queue, 0.0, *costs)
        return queue.slow(queue.take(0.0))

    assert slow(2, 120)
    assert not slow(2, 90)
    assert not slow(2, *[20] * 20)
    assert [slow(1, 1400), slow(1, 1600), slow(1, *[20] * 80)] == [False, True, True]
