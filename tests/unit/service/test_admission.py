from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from stelae.errors import InvalidInput, QueueFull, ShuttingDown
from stelae.service.admission import Admission, Bounds


def test_calls_over_the_bound_are_refused_until_one_ends() -> None:
    admission = Admission(Bounds(calls=2))
    with ExitStack() as held:
        held.enter_context(admission.admit(1))
        with admission.admit(1), pytest.raises(QueueFull), admission.admit(1):
            pass
        held.enter_context(admission.admit(1))
    assert (admission.calls, admission.bytes) == (0, 0)


def test_bytes_over_the_bound_are_refused() -> None:
    admission = Admission(Bounds(bytes=100))
    with admission.admit(60), pytest.raises(QueueFull), admission.admit(41):
        pass


def test_a_call_alone_is_never_refused_for_its_size() -> None:
    admission = Admission(Bounds(bytes=100))
    with admission.admit(1000):
        assert admission.bytes == 1000


def test_a_call_of_too_many_items_is_told_how_many_are_taken() -> None:
    admission = Admission(Bounds(items=3))
    admission.check_items(3, "items")
    with pytest.raises(InvalidInput, match="send them in several") as caught:
        admission.check_items(4, "documents")
    assert (caught.value.param, caught.value.details) == ("documents", {"most": 3})
    Admission(Bounds()).check_items(10**9, "items")


def test_a_place_is_given_back_when_the_call_fails() -> None:
    admission = Admission(Bounds())
    with pytest.raises(ZeroDivisionError), admission.admit(1):
        raise ZeroDivisionError
    assert admission.calls == 0


def test_the_hint_when_to_come_back_is_spread_and_within_bounds() -> None:
    admission = Admission(Bounds(calls=1))
    hints = set()
    with admission.admit(1):
        for _ in range(50):
            with pytest.raises(QueueFull) as caught, admission.admit(1):
                pass
            hints.add(caught.value.retry_after)
    assert len(hints) > 10
    assert all(hint is not None and 0.1 <= hint <= 60.0 for hint in hints)


async def test_closing_waits_for_what_is_under_way_and_refuses_the_rest() -> None:
    admission = Admission(Bounds())
    with admission.admit(1):
        closing = asyncio.create_task(admission.close(10.0))
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown), admission.admit(1):
            pass
        assert not closing.done()
    assert await closing


async def test_closing_does_not_wait_for_ever() -> None:
    admission = Admission(Bounds())
    with admission.admit(1):
        assert not await admission.close(0.01)
