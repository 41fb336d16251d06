"""One thread that works for several callers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing, asynccontextmanager

import pytest

from stelae.engines.turns import AHEAD, Turns
from stelae.errors import EngineFailed, InvalidInput, OutOfMemory, ShuttingDown


@asynccontextmanager
async def opened() -> AsyncIterator[Turns[str]]:
    turns: Turns[str] = Turns("test-turns")
    try:
        yield turns
    finally:
        await turns.aclose()


def steps(name: str, count: int, log: list[str]) -> Generator[list[str]]:
    for i in range(count):
        log.append(f"{name}{i}")
        yield [f"{name}{i}"]


async def taken(turns: Turns[str], work: Generator[list[str]]) -> list[str]:
    return [piece async for pieces in turns.stream(work) for piece in pieces]


async def test_pieces_arrive_in_the_order_of_their_steps() -> None:
    async with opened() as turns:
        assert await taken(turns, steps("a", 9, [])) == [f"a{i}" for i in range(9)]


async def test_steps_without_pieces_are_passed_over() -> None:
    async with opened() as turns:
        assert await taken(turns, (piece for piece in (["a"], [], ["b"]))) == ["a", "b"]
        assert turns.stats.steps == 3


async def test_calls_take_turns() -> None:
    log: list[str] = []
    held = threading.Event()

    def first() -> Generator[list[str]]:
        held.wait()
        yield from steps("a", 2, log)

    async with opened() as turns, asyncio.TaskGroup() as group:
        group.create_task(taken(turns, first()))
        group.create_task(taken(turns, steps("b", 2, log)))
        await asyncio.sleep(0)
        held.set()
    assert log == ["a0", "b0", "a1", "b1"]


async def test_a_slow_reader_has_a_bounded_number_of_steps_made_for_him() -> None:
    log: list[str] = []
    async with opened() as turns, aclosing(turns.stream(steps("a", 99, log))) as pieces:
        await anext(pieces)
        await taken(turns, steps("b", 20, []))
        assert len(log) <= 1 + AHEAD + 1


async def test_a_caller_who_leaves_costs_no_further_step() -> None:
    ended = threading.Event()

    def endless() -> Generator[list[str]]:
        try:
            while True:
                yield ["a"]
        finally:
            ended.set()

    async with opened() as turns:
        async with aclosing(turns.stream(endless())) as pieces:
            await anext(pieces)
        assert await asyncio.to_thread(ended.wait, 10)
        steps_made = turns.stats.steps
        assert await taken(turns, steps("b", 1, [])) == ["b0"]
        assert turns.stats.steps == steps_made + 1


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (InvalidInput("no"), InvalidInput),
        (RuntimeError("CUDA out of memory"), OutOfMemory),
        (ZeroDivisionError("0"), EngineFailed),
    ],
)
async def test_a_failing_call_harms_no_other(raised: Exception, kind: type[Exception]) -> None:
    def broken() -> Generator[list[str]]:
        yield ["a"]
        raise raised

    async with opened() as turns:
        pieces = turns.stream(broken())
        assert await anext(pieces) == ["a"]
        with pytest.raises(kind):
            await anext(pieces)
        assert await taken(turns, steps("b", 1, [])) == ["b0"]


async def test_calls_under_way_fail_when_the_model_is_unloaded() -> None:
    async with opened() as turns:
        pieces = turns.stream(steps("a", 99, []))
        await anext(pieces)
        await turns.aclose()
        with pytest.raises(ShuttingDown):
            assert [made async for made in pieces][:0]
        with pytest.raises(ShuttingDown):
            await anext(turns.stream(steps("b", 1, [])))
