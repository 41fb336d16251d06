"""The choice of tokens at the edges of what can be asked."""

from __future__ import annotations

import pytest
import torch

from stelae.engines.chat.sampling import Sampler
from stelae.types import Sampling


@pytest.mark.parametrize("temperature", [1e-7, 1e-40, 5e-324])
@pytest.mark.parametrize("how", [{}, {"top_p": 0.9}, {"top_k": 3}, {"min_p": 0.1}])
def test_the_coldest_choice_is_the_likeliest(temperature: float, how: dict[str, float]) -> None:
    scores = torch.tensor([1.0, -20.0, 30.0, 29.0, -400.0])
    sampler = Sampler(Sampling(temperature=temperature, seed=1, **how), [], 0)  # type: ignore[arg-type]
    assert [sampler.choose(scores) for _ in range(8)] == [2] * 8
