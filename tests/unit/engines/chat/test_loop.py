"""The token loop with a model that only counts: room, copies of memories, and failing ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence as Several

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stelae.engines.chat.loop import TokenLoop
from stelae.engines.chat.sampling import Sampler
from stelae.engines.chat.sequence import Request, Sequence
from stelae.engines.chat.stepping import Share, blocks
from stelae.engines.chat.writing import Writer
from stelae.errors import OutOfMemory
from stelae.types import ChatCall, Sampling

ROOM = 512
VOCABULARY = 8
WAIT = 20.0


class Held:
    """A memory that is told to a model which counts."""

    def __init__(self, model: Counting, ids: Several[int] = ()) -> None:
        self.model, self.ids = model, list(ids)
        model.held.append(self)

    def release(self) -> None:
        self.model.held.remove(self)


class Counting:
    """The next token is the sum of those before; what is held at once is measured."""

    vocabulary, most = VOCABULARY, 10**6

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.peak = 0
        self.forks = True

    def measure(self) -> None:
        self.peak = max(self.peak, sum(blocks(len(held.ids)) for held in self.held))

    def memory(self) -> Held:
        return Held(self)

    def fork(self, memory: Held, tokens: int) -> Held:
        if not self.forks:
            raise torch.OutOfMemoryError("out of memory")
        return Held(self, memory.ids[:tokens])

    def scores(self, shares: Several[Share[Held]]) -> Tensor:
        made = torch.zeros(len(shares), VOCABULARY)
        for row, share in zip(made, shares, strict=True):
            assert share.start == len(share.memory.ids)
            share.memory.ids += share.ids
            self.measure()
            row[following(share.memory.ids)] = 1.0
        return made

    def close(self) -> None:
        assert not self.held


def following(ids: Several[int]) -> int:
    return (sum(ids) + len(ids)) % VOCABULARY


def expected(prompt: Several[int], tokens: int) -> list[int]:
    ids = list(prompt)
    for _ in range(tokens):
        ids.append(following(ids))
    return ids[len(prompt) :]


def decode(ids: Several[int]) -> str:
    return "".join(map(str, ids))


def texts_of(prompt: Several[int], tokens: int, n: int) -> tuple[Request, list[Sequence]]:
    how = Sampling(temperature=0.0, max_tokens=tokens)
    call = ChatCall(model="m", prompt_tokens=list(prompt), n=n, sampling=how)
    request = Request(prompt, n)
    return request, [
        Sequence(
            request, i, list(prompt), tokens, Sampler(how, prompt, i), Writer(decode, ()), call
        )
        for i in range(n)
    ]


async def told(request: Request, loop: TokenLoop) -> dict[int, list[int]]:
    made: dict[int, list[int]] = {}
    while True:
        for piece in await asyncio.wait_for(request.take(), WAIT):
            made.setdefault(piece.index, []).extend(piece.tokens)
            if piece.usage is not None:
                return made
        loop.stir()


async def asked(
    loop: TokenLoop, prompt: Several[int], tokens: int, n: int = 1
) -> dict[int, list[int]]:
    request, texts = texts_of(prompt, tokens, n)
    loop.add(texts)
    return await told(request, loop)


async def left(loop: TokenLoop, prompt: Several[int], tokens: int, n: int) -> None:
    """Ask, and leave after the first piece."""
    request, texts = texts_of(prompt, tokens, n)
    loop.add(texts)
    await asyncio.wait_for(request.take(), WAIT)
    request.dropped = True
    loop.stir()


prompts = st.tuples(st.integers(0, 2), st.integers(1, 300), st.integers(0, 3))
calls = st.tuples(prompts, st.integers(1, 150), st.integers(1, 4), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(calls, min_size=1, max_size=5), min_size=1, max_size=4))
def test_no_more_is_held_than_there_is_room_for(waves: list[list[tuple]]) -> None:  # type: ignore[type-arg]
    async def run() -> None:
        model = Counting()
        loop = TokenLoop(model, frozenset(), decode, ROOM)
        for wave in waves:
            work = []
            for (kind, size, end), tokens, n, leaves in wave:
                prompt = [kind] * size + [end]
                work.append((left if leaves else asked)(loop, prompt, tokens, n))
            answers = await asyncio.gather(*work)
            for ((kind, size, end), tokens, n, leaves), answer in zip(wave, answers, strict=True):
                if not leaves:
                    right = expected([kind] * size + [end], tokens)
                    assert answer == dict.fromkeys(range(n), right)
        loop.close()
        model.close()
        assert model.peak <= ROOM

    asyncio.run(run())


async def test_a_copy_that_fails_ends_its_text_alone() -> None:
    model = Counting()
    loop = TokenLoop(model, frozenset(), decode, ROOM)
    await asked(loop, [1] * 100, 10)
    model.forks = False
    with pytest.raises(OutOfMemory):
        await asked(loop, [*[1] * 50, 2], 10)
    assert await asked(loop, [3] * 20, 10) == {0: expected([3] * 20, 10)}
    loop.close()


async def test_unloading_gives_all_memories_back() -> None:
    model = Counting()
    loop = TokenLoop(model, frozenset(), decode, ROOM)
    await asked(loop, [1] * 100, 10)
    request, texts = texts_of([2] * 50, 400, 2)
    loop.add(texts)
    await asyncio.wait_for(request.take(), WAIT)
    loop.close()
    assert not model.held


@pytest.mark.parametrize("pace", [0.0, 1e9])
async def test_answers_are_whole_whenever_they_are_told(pace: float) -> None:
    model = Counting()
    loop = TokenLoop(model, frozenset(), decode, ROOM, pace=pace)
    prompts = [[1] * 20, [2] * 30, [0, 1, 2]]
    answers = await asyncio.gather(*(asked(loop, prompt, 150, n=2) for prompt in prompts))
    for prompt, answer in zip(prompts, answers, strict=True):
        assert answer == dict.fromkeys(range(2), expected(prompt, 150))
    loop.close()
