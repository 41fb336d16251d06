from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.client import RetryPolicy
from stelae.client._retry import Budget, Deadline, Retries, policy_of, retryable
from stelae.errors import (
    BY_CODE,
    DeadlineExceeded,
    InvalidInput,
    OutOfMemory,
    ProtocolError,
    QueueFull,
    ServerUnreachable,
    WorkerDied,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


NEVER = Deadline()


def retries(policy: RetryPolicy | None = None, jitter: float = 0.5) -> Retries:
    return Retries(policy or RetryPolicy(), clock=Clock(), jitter=lambda: jitter)


def test_waits_grow_twofold_up_to_the_ceiling() -> None:
    chosen = retries(RetryPolicy(attempts=9, base=0.2, ceiling=1.0), jitter=1.0)
    waits = [chosen.wait(WorkerDied("x"), attempt, NEVER) for attempt in range(1, 6)]
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.0, 1.0])


def test_a_memory_that_ran_out_may_be_asked_again_less_or_more_often() -> None:
    chosen = retries(RetryPolicy(attempts=2, memory_attempts=4))
    assert chosen.wait(OutOfMemory("x"), 4, NEVER) >= 0
    with pytest.raises(OutOfMemory):
        chosen.wait(OutOfMemory("x"), 5, NEVER)
    with pytest.raises(WorkerDied):
        chosen.wait(WorkerDied("x"), 3, NEVER)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 100))
def test_jitter_is_full(jitter: float, attempt: int) -> None:
    wait = retries(jitter=jitter).wait(QueueFull("x"), attempt, NEVER)
    assert wait == pytest.approx(jitter * min(5.0, 0.2 * 2 ** (attempt - 1)))


def test_retry_after_is_waited_for_and_a_little_longer() -> None:
    assert retries().wait(QueueFull("x", retry_after=7.0), 1, NEVER) == pytest.approx(7.1)


def test_retry_after_is_obeyed_within_patience() -> None:
    wait = retries().wait(QueueFull("x", retry_after=3600.0), 1, NEVER)
    assert wait == pytest.approx(60.1)


def test_failures_end_after_the_attempts_and_refusals_do_not() -> None:
    chosen = retries(RetryPolicy(attempts=2))
    assert chosen.wait(WorkerDied("x"), 2, NEVER) >= 0
    with pytest.raises(WorkerDied):
        chosen.wait(WorkerDied("x"), 3, NEVER)
    assert chosen.wait(QueueFull("x"), 3, NEVER) >= 0


def test_no_wait_reaches_the_deadline() -> None:
    clock = Clock()
    chosen = Retries(RetryPolicy(), clock=clock, jitter=lambda: 0.0)
    error = QueueFull("x", retry_after=2.0)
    assert chosen.wait(error, 1, Deadline.after(2.1, clock)) == 2.0
    with pytest.raises(QueueFull):
        chosen.wait(error, 1, Deadline.after(2.0, clock))


def test_spent_budget_puts_retries_off() -> None:
    chosen = retries(RetryPolicy(reserve=2.0, floor=0.5), jitter=0.0)
    waits = [chosen.wait(QueueFull("x"), 1, NEVER) for _ in range(5)]
    assert waits == pytest.approx([0.0, 0.0, 2.0, 4.0, 6.0])


def test_retry_that_was_not_made_costs_nothing() -> None:
    clock = Clock()
    chosen = Retries(RetryPolicy(reserve=1.0), clock=clock, jitter=lambda: 0.0)
    with pytest.raises(QueueFull):
        chosen.wait(QueueFull("x", retry_after=9.0), 1, Deadline.after(1.0, clock))
    assert chosen.wait(QueueFull("x"), 1, NEVER) == 0.0


def test_requests_and_time_earn_retries_up_to_the_reserve() -> None:
    clock = Clock()
    budget = Budget(RetryPolicy(reserve=1.0, share=0.1, floor=0.25), clock)
    assert budget.spend() == 0.0
    for _ in range(10):
        budget.earn()
    assert budget.spend() == pytest.approx(0.0, abs=1e-9)
    clock.now += 100
    assert budget.spend() == 0.0
    assert budget.spend() == pytest.approx(4.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=60))
def test_retries_never_outrun_what_was_earned(steps: list[tuple[bool, float]]) -> None:
    policy, clock = RetryPolicy(), Clock()
    budget = Budget(policy, clock)
    requests = due = 0
    for is_retry, pause in steps:
        clock.now += pause
        if is_retry:
            due += budget.spend() == 0.0
        else:
            budget.earn()
            requests += 1
    seconds = clock.now - 1000.0
    assert due <= policy.reserve + policy.share * requests + policy.floor * seconds + 1e-6


def test_retryable_codes_are_those_that_waiting_can_cure() -> None:
    codes = {code for code, kind in BY_CODE.items() if retryable(kind("x"))}
    assert codes == {
        "queue_full",
        "rate_limited",
        "model_not_ready",
        "lora_loading",
        "no_capacity",
        "provisioning",
        "shutting_down",
        "worker_died",
        "out_of_memory",
        "server_unreachable",
    }


def test_gateway_in_trouble_is_retryable_and_other_strangers_are_not() -> None:
    assert retryable(ProtocolError("x", details={"status": 503}))
    assert not retryable(ProtocolError("x", details={"status": 200}))
    assert retryable(ServerUnreachable("x"))


def test_deadline_that_has_passed_is_an_error() -> None:
    clock = Clock()
    deadline = Deadline.after(2.0, clock)
    clock.now += 1.5
    assert deadline.left() == 0.5
    clock.now += 0.5
    with pytest.raises(DeadlineExceeded):
        deadline.left()
    assert NEVER.left() is None


def test_retries_argument_is_a_count_or_a_policy() -> None:
    assert policy_of(5) == RetryPolicy(attempts=5)
    assert policy_of(RetryPolicy(base=1.0)).base == 1.0
    with pytest.raises(InvalidInput):
        policy_of("many")  # type: ignore[arg-type]
