"""Chance of a call's own: the numbers that the process would draw, and none from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stelae.engines.speech.chance import Drawn

WAYS: dict[str, Callable[[], Tensor]] = {
    "randn": lambda: torch.randn(3, 5),
    "rand": lambda: torch.rand(3, 5),
    "randn_like": lambda: torch.randn_like(torch.zeros(40, 30).T),
    "rand_like": lambda: torch.rand_like(torch.zeros(4, 3)),
    "multinomial": lambda: torch.multinomial(torch.full((2, 50), 0.5), 3),
    "bernoulli": lambda: torch.bernoulli(torch.full((50,), 0.5)),
    "normal": lambda: torch.normal(torch.zeros(50), torch.ones(50)),
}


@pytest.mark.parametrize("way", WAYS)
def test_numbers_are_those_of_the_process_with_that_seed(way: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        expected = [WAYS[way](), WAYS[way]()]
        before = torch.random.get_rng_state()
        drawn = Drawn(11)
        made = []
        for _ in range(2):
            with drawn:
                made.append(WAYS[way]())
            torch.rand(3)
        torch.random.set_rng_state(before)
    assert all(torch.equal(a, b) for a, b in zip(made, expected, strict=True))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_each_device_draws_its_own_numbers() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = [torch.randn_like(torch.empty(9, device=d)).cpu() for d in ("cuda", "cpu")]
    with Drawn(5):
        made = [torch.randn_like(torch.empty(9, device=d)).cpu() for d in ("cuda", "cpu")]
    assert all(torch.equal(a, b) for a, b in zip(made, expected, strict=True))


def test_without_a_seed_numbers_differ() -> None:
    made = []
    for _ in range(2):
        with Drawn(None):
            made.append(torch.randn(9))
    assert not torch.equal(*made)
